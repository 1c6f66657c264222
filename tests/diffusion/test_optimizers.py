"""Muon against singular values and torch's own; which parameters it takes."""

import pytest
import torch

from depthbias.diffusion.optimizers import MOMENTUM, Muon, make_optimizers, orthogonal


@pytest.mark.parametrize("shape", [(6, 40), (40, 6), (12, 12)])
def test_an_update_keeps_singular_vectors_and_levels_values(shape):
    left, values, right = torch.linalg.svd(torch.randn(shape), full_matrices=False)
    assert values[0] > 1.5 * values[-1]
    within = left.T @ orthogonal(left @ torch.diag(values) @ right) @ right.T
    levelled = within.diagonal()
    assert torch.allclose(within, torch.diag(levelled), atol=1e-3)
    assert ((levelled > 0.6) & (levelled < 1.25)).all()


def test_steps_on_a_matrix_equal_those_of_torch():
    """Theirs rounds to bf16, eight bits: a step agrees to a few hundredths of its size."""
    torch.manual_seed(0)
    start = torch.randn(8, 20)
    mine, theirs = start.clone().requires_grad_(), start.clone().requires_grad_()
    ours = Muon([mine], lr=0.02, weight_decay=0.1)
    their_muon = torch.optim.Muon(
        [theirs], lr=0.02, weight_decay=0.1, momentum=MOMENTUM, adjust_lr_fn="match_rms_adamw"
    )
    for _ in range(4):
        mine.grad = torch.randn(8, 20)
        theirs.grad = mine.grad.clone()
        ours.step()
        their_muon.step()
    mine, theirs = mine.detach(), theirs.detach()
    assert (mine - start).norm() > 0.1
    assert (mine - theirs).norm() < 0.03 * (mine - start).norm()


def test_a_kernel_is_the_matrix_of_its_outputs():
    torch.manual_seed(0)
    start, gradient = torch.randn(4, 3, 3, 3), torch.randn(4, 3, 3, 3)
    kernel, matrix = start.clone(), start.flatten(1).clone()
    for parameter in (kernel, matrix):
        parameter.requires_grad_()
        parameter.grad = gradient.view(parameter.shape).clone()
        Muon([parameter], lr=0.1, weight_decay=0.0).step()
    assert torch.equal(kernel.flatten(1), matrix)
    assert (kernel.detach() - start).square().mean().sqrt() == pytest.approx(0.1 * 0.2, rel=0.2)


def test_a_parameter_without_a_gradient_stays():
    parameter = torch.ones(2, 2, requires_grad=True)
    Muon([parameter], lr=0.1, weight_decay=0.1).step()
    assert torch.equal(parameter, torch.ones(2, 2))


def test_each_parameter_is_in_one_optimizer():
    parameters = [torch.zeros(shape, requires_grad=True) for shape in ((2, 3), (3,), (2, 3, 3, 3))]
    muon, adamw = make_optimizers("muon", parameters, 0.03)
    assert isinstance(muon, Muon) and isinstance(adamw, torch.optim.AdamW)
    assert [len(one.param_groups[0]["params"]) for one in (muon, adamw)] == [2, 1]
    [alone] = make_optimizers("adamw", parameters, 0.03)
    assert len(alone.param_groups[0]["params"]) == 3
    assert {one.param_groups[0]["weight_decay"] for one in (muon, adamw, alone)} == {0.03}
