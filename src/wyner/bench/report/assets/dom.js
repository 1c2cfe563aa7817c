// Elements without markup strings: whatever a record says ends up in text nodes and attributes.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

export function byId(id) {
  return document.getElementById(id);
}

/** A row of radio buttons that looks like one control. `options` holds [value, text] pairs. */
export function segmented(legend, name, options, value, onChange) {
  const items = options.map(([option, text]) => {
    const input = el("input", {
      type: "radio", name, value: option, checked: option === value, onchange: () => onChange(option),
    });
    return el("label", {}, input, el("span", {}, text));
  });
  return el("fieldset", { class: "segmented", id: name }, el("legend", {}, legend), el("div", {}, ...items));
}

/** A labelled select. `options` holds [value, text] pairs; the values are strings. */
export function select(label, id, options, value, onChange) {
  const box = el("select", { id, onchange: (event) => onChange(event.target.value) });
  for (const [option, text] of options) {
    box.append(el("option", { value: option, selected: option === value }, text));
  }
  return el("div", { class: "field" }, el("label", { for: id }, label), box);
}

/** A wide table scrolls in a box of its own, which the keyboard can reach. */
export function scrollBox(label, table) {
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, table);
}
