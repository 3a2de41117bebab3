// Makes and fills elements, with text only.

export const el = id => document.getElementById(id);

export function make(name, className, content) {
  const e = document.createElement(name);
  if (className) e.className = className;
  if (content !== undefined) e.textContent = content;
  return e;
}

// Sets the text of an element if it is another: what is read out is read once.
export function text(id, content) {
  const e = el(id);
  if (e.textContent !== content) e.textContent = content;
}

export function count(n, one, many) {
  return `${n.toLocaleString('en-US')} ${n === 1 ? one : many}`;
}

export const severities = ['High', 'Medium', 'Low', 'Informational'];

const two = n => String(n).padStart(2, '0');
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

export function clock(ms) {
  const t = new Date(ms);
  return `${two(t.getUTCHours())}:${two(t.getUTCMinutes())}`;
}

export function day(ms) {
  const t = new Date(ms);
  return `${t.getUTCDate()} ${months[t.getUTCMonth()]}`;
}

export function date(ms) {
  const t = new Date(ms);
  return `${t.getUTCFullYear()}-${two(t.getUTCMonth() + 1)}-${two(t.getUTCDate())}`;
}

// Whether a run is over one day of UTC, so that its times need no date.
export function oneDay(run) {
  return Boolean(run.first) && date(Date.parse(run.first)) === date(Date.parse(run.last) - 1);
}
