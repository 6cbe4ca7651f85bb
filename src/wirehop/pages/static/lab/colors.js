// A colour of the design system as a canvas takes it: a custom property is not resolved (light-dark()), a colour is.

export function resolved(canvas, name) {
  const before = canvas.style.color;
  canvas.style.color = `var(${name})`;
  const { color } = getComputedStyle(canvas);
  canvas.style.color = before;
  return color;
}
