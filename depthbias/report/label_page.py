"""The sheet of images to label by hand: a contact sheet, and a page that writes the labels."""

import json
from base64 import b64encode
from collections.abc import Sequence
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw

from depthbias.measures.label_sheet import COLUMNS, Drawn, answers
from depthbias.system.files import fingerprint

COLUMNS_OF_SHEET = 20
SIDE = 56  # pixels, at least, of an image on the contact sheet
NUMBER = 14  # pixels under it

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline';
  script-src 'unsafe-inline'">
<title>Labels by hand</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 40em; margin: 2em auto; }
#image { width: 320px; height: 320px; object-fit: contain; image-rendering: pixelated;
  background: #ddd; display: block; margin: 1em 0; }
button { font: inherit; margin: 0 .5em .5em 0; padding: .3em .9em; }
button.chosen { outline: 3px solid #0072B2; }
</style>
</head>
<body>
<h1>What is on the image?</h1>
<p>Say what you see, not what was meant. An image that is of no class, or of several, is neither.
Keys: the number of the answer, the arrows to go back and forth. The images come in random order, so
you may stop early. Then save the labels, as <code id="target"></code>.</p>
<img id="image" alt="image to label">
<p id="answers"></p>
<p><button id="back">&larr;</button><button id="next">&rarr;</button> <span id="place"></span></p>
<p><button id="save">Save the labels</button></p>
<script>
"use strict";
const sheet = /*SHEET*/;
const key = "depthbias-labels-" + sheet.name;
let labels = {}, place = 0;
try { labels = JSON.parse(localStorage.getItem(key)) || {}; } catch (error) { labels = {}; }

function show() {
  const image = sheet.images[place];
  document.getElementById("image").src = image.source;
  const done = sheet.images.filter(one => one.name in labels).length;
  document.getElementById("place").textContent =
    `image ${place + 1} of ${sheet.images.length}, ${done} labelled`;
  for (const button of document.querySelectorAll("#answers button")) {
    button.classList.toggle("chosen", labels[image.name] === button.dataset.answer);
  }
}
function go(step) {
  place = Math.min(Math.max(place + step, 0), sheet.images.length - 1);
  show();
}
function answer(label) {
  labels[sheet.images[place].name] = label;
  try { localStorage.setItem(key, JSON.stringify(labels)); } catch (error) { /* not kept */ }
  go(1);
}
function table() {
  const rows = sheet.images.filter(one => one.name in labels)
    .map(one => `${one.name},${labels[one.name]}`);
  return [sheet.columns.join(","), ...rows].join("\\n") + "\\n";
}
function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([table()], { type: "text/csv" }));
  link.download = sheet.study + ".csv";
  link.click();
}
sheet.answers.forEach((label, index) => {
  const button = document.createElement("button");
  button.textContent = `${index + 1}: ${label}`;
  button.dataset.answer = label;
  button.onclick = () => answer(label);
  document.getElementById("answers").append(button);
});
document.getElementById("target").textContent = `data/labels/${sheet.study}.csv`;
document.getElementById("back").onclick = () => go(-1);
document.getElementById("next").onclick = () => go(1);
document.getElementById("save").onclick = save;
document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "ArrowLeft" || event.key === "Backspace") go(-1);
  else if (event.key === "ArrowRight") go(1);
  else if (sheet.answers[Number(event.key) - 1]) answer(sheet.answers[Number(event.key) - 1]);
  else return;
  event.preventDefault();
});
show();
</script>
</body>
</html>
"""


def label_page(study: str, drawn: Sequence[Drawn], classes: Sequence[str]) -> str:
    """A page of HTML that needs no network: it shows the images and saves the answers as CSV."""
    images = [{"name": one.name, "source": _data_uri(one.image)} for one in drawn]
    sheet = {
        "study": study,
        "name": fingerprint(study, *(one.name for one in drawn)),
        "columns": COLUMNS,
        "answers": answers(classes),
        "images": images,
    }
    return PAGE.replace("/*SHEET*/", json.dumps(sheet).replace("<", "\\u003c"))


def contact_sheet(drawn: Sequence[Drawn]) -> Image.Image:
    """All images with their numbers on the page, row by row."""
    side = drawn[0].image.shape[0]
    side *= max(1, -(-SIDE // side))
    rows = -(-len(drawn) // COLUMNS_OF_SHEET)
    size = COLUMNS_OF_SHEET * (side + 4), rows * (side + NUMBER)
    sheet = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(sheet)
    for place, one in enumerate(drawn):
        row, column = divmod(place, COLUMNS_OF_SHEET)
        x, y = column * (side + 4) + 2, row * (side + NUMBER)
        shown = _as_image(one.image).convert("RGB").resize((side, side), Image.Resampling.NEAREST)
        sheet.paste(shown, (x, y))
        pen.text((x + 1, y + side), str(place + 1), fill="black")
    return sheet


def _as_image(image: np.ndarray) -> Image.Image:
    """An image uint8 [H, W, 1 or 3]."""
    return Image.fromarray(image if image.shape[-1] == 3 else image[..., 0])


def _data_uri(image: np.ndarray) -> str:
    content = BytesIO()
    _as_image(image).save(content, "PNG")
    return f"data:image/png;base64,{b64encode(content.getvalue()).decode()}"
