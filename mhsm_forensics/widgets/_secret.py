"""A password field without state: what stands in a widget's state is saved with the notebook, if a person wants that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

if TYPE_CHECKING:
    from collections.abc import Callable

# The text goes to the kernel as a message, and is gone from the field before anything can be saved.
_SCRIPT = """
let made = 0;

function render({ model, el }) {
  const label = document.createElement("label");
  const input = document.createElement("input");
  const show = () => {
    label.textContent = model.get("description");
    input.placeholder = model.get("placeholder");
    input.disabled = model.get("disabled");
  };
  const give = () => {
    if (input.value) model.send({ secret: input.value });
    input.value = "";
  };
  made += 1;
  label.htmlFor = input.id = `mhsm-secret-${made}`;
  label.className = "widget-label";
  label.style.width = model.get("label_width");
  input.type = "password";
  input.autocomplete = "new-password";
  input.addEventListener("change", give);
  for (const name of ["description", "placeholder", "disabled"]) model.on(`change:${name}`, show);
  el.classList.add("jupyter-widgets", "widget-inline-hbox", "widget-text");
  el.append(label, input);
  show();
}

export default { render };
"""


class SecretField(anywidget.AnyWidget):
    """A password field; what is typed goes to `take` once, when the field is left or Enter is pressed."""

    _esm = _SCRIPT
    description = traitlets.Unicode().tag(sync=True)
    placeholder = traitlets.Unicode().tag(sync=True)
    disabled = traitlets.Bool(default_value=False).tag(sync=True)
    label_width = traitlets.Unicode().tag(sync=True)

    def __init__(self, take: Callable[[str], None], **options: Any) -> None:
        super().__init__(**options)
        self.on_msg(lambda _widget, content, _buffers: take(str(content["secret"])))
