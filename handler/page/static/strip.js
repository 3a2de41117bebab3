// The chart of what the logs hold hour by hour, with the alerts on it.

import { count, day, el, make, severities, text } from './dom.js';
import { stretch } from './filters.js';

const narrowest = 26; // pixels of a step: a finger hits it

let drawn = ''; // what is drawn, so that nothing is drawn twice

// Puts steps together until the window has room for all.
function fit(run, width) {
  const room = Math.max(Math.floor(width / narrowest), 1);
  let by = 1;
  for (const n of [2, 3, 4, 6, 8, 12, 24, 48, 96, 192, 384]) {
    if (Math.ceil(run.steps.length / by) <= room) break;
    by = n;
  }
  const length = by * run.stepHours * 3600000;
  const steps = [];
  for (let i = 0; i < run.steps.length; i += by) {
    const part = run.steps.slice(i, i + by);
    const from = Date.parse(part[0].start);
    steps.push({
      from, to: from + length, alerts: [],
      records: part.reduce((n, s) => n + s.records, 0),
      rejections: part.reduce((n, s) => n + s.rejections, 0),
    });
  }
  return { steps, length };
}

export function drawStrip(run, alerts, filters, changed) {
  const strip = el('strip');
  el('chart').hidden = !run.steps || run.steps.length === 0;
  if (el('chart').hidden) return;
  const { steps, length } = fit(run, strip.clientWidth || window.innerWidth);
  for (const a of alerts) {
    const step = steps[Math.floor((a.at - steps[0].from) / length)];
    if (step && filters.passes(a, 'hours')) step.alerts.push(a);
  }
  const now = JSON.stringify([steps.map(s => [s.from, s.records, s.rejections, s.alerts.map(a => a.n)]), filters.hours]);
  if (now === drawn) return;
  drawn = now;

  const peak = of => Math.max(1, ...steps.map(s => s[of]));
  const [records, rejections] = [peak('records'), peak('rejections')];
  const rejected = steps.some(s => s.rejections > 0);
  const per = length === 3600000 ? 'an hour' : length % 86400000 === 0 ? count(length / 86400000, 'day', 'days') : count(length / 3600000, 'hour', 'hours');
  const at = strip.contains(document.activeElement) ? [...strip.children].indexOf(document.activeElement) : -1;
  el('legend').replaceChildren(
    make('span', 'key records'), ` ${run.many}`, make('span', 'peak', `, at most ${records.toLocaleString('en-US')} in ${per}`), '   ',
    ...(rejected ? [make('span', 'key rejections'), ' rejected', make('span', 'peak', `, at most ${rejections.toLocaleString('en-US')}`), '   '] : []),
    make('span', 'key alerts'), ' alerts, in the colour of the worst',
  );
  const buttons = steps.map((s, i) => {
    const button = make('button', 'hour');
    button.type = 'button';
    button.tabIndex = -1;
    const pressed = filters.hours !== null && filters.hours[0] === s.from && filters.hours[1] === s.to;
    button.setAttribute('aria-pressed', String(pressed));
    const said = `${stretch([s.from, s.to])} UTC: ${count(s.records, run.one, run.many)}` +
      (rejected ? `, ${s.rejections} rejected` : '') + `, ${count(s.alerts.length, 'alert', 'alerts')}`;
    button.title = said;
    const marks = make('span', 'marks');
    if (s.alerts.length > 0) {
      const worst = severities.find(v => s.alerts.some(a => a.severity === v));
      marks.append(make('span', 'badge ' + worst.toLowerCase(), s.alerts.length > 999 ? '1k+' : String(s.alerts.length)));
    }
    const up = make('span', 'up');
    up.append(bar('records', s.records / records));
    const down = make('span', 'down');
    if (rejected) down.append(bar('rejections', s.rejections / rejections));
    const drawing = [marks, up, down, make('span', 'tick', label(s.from, i, steps, length))];
    for (const part of drawing) part.setAttribute('aria-hidden', 'true');
    button.append(make('span', 'said', said), ...drawing);
    button.addEventListener('click', () => {
      filters.hours = pressed ? null : [s.from, s.to];
      changed();
    });
    return button;
  });
  const current = Math.max(at, buttons.findIndex(b => b.getAttribute('aria-pressed') === 'true'), 0);
  buttons[Math.min(current, buttons.length - 1)].tabIndex = 0;
  strip.replaceChildren(...buttons);
  if (at >= 0) buttons[Math.min(at, buttons.length - 1)].focus();
}

function bar(className, part) {
  const b = make('span', 'bar ' + className);
  b.style.height = part > 0 ? `max(${(100 * part).toFixed(1)}%, 2px)` : '0';
  return b;
}

// The label under a step: the hour, or the day where it begins.
function label(from, i, steps, length) {
  const t = new Date(from);
  if (length >= 86400000 || steps.length * length > 2 * 86400000) {
    const begins = i === 0 || new Date(steps[i - 1].from).getUTCDate() !== t.getUTCDate();
    return begins && (length < 86400000 || i % Math.ceil(steps.length / 16) === 0) ? day(from) : '';
  }
  return String(t.getUTCHours()).padStart(2, '0');
}

// The arrow keys go along the steps, and one of them is in the order of Tab.
el('strip').addEventListener('keydown', e => {
  const all = [...el('strip').children];
  const at = all.indexOf(document.activeElement);
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: all.length - 1 }[e.key];
  if (at < 0 || to === undefined || !all[to]) return;
  all[at].tabIndex = -1;
  all[to].tabIndex = 0;
  all[to].focus();
  e.preventDefault();
});
