// The page: fetches the run, keeps what is chosen, and draws it. Whatever comes
// from the run is text: it goes into the page by textContent and by the renderer of
// cards alone.

import { el, text } from './dom.js';
import { drawCard } from './card.js';
import { Filters } from './filters.js';
import { drawStrip } from './strip.js';
import { drawRows, mark, reveal } from './rows.js';
import { totals } from './totals.js';

const wide = matchMedia('(min-width: 1000px)');
const rowsAtOnce = 300;

let run = null; // what the server said of it last
const alerts = []; // all, in the order in which they came
const byID = new Map();
const filters = new Filters();
let shown = []; // those that pass the filters, in the list's order
let most = rowsAtOnce;
let chosen = null; // the alert whose card is shown
let picked = false; // by the reader: else the first of the list is shown

// Draws the list anew.
function draw() {
  shown = filters.apply(alerts);
  filters.draw(alerts, run);
  drawRows(shown.slice(0, most), run, chosen);
  el('more').hidden = shown.length <= most;
  text('more', `Show more of ${shown.length - most} further alerts`);
  text('count', shown.length === alerts.length ? `${alerts.length} alerts` : `${shown.length} of ${alerts.length} alerts`);
  el('clear').hidden = !filters.any();
  el('empty').hidden = shown.length > 0;
  text('empty', alerts.length > 0 ? 'No alert passes the filters.' : run.stage === 'ended' ? 'The run found nothing to report.' : 'No alert so far.');
  drawStrip(run, alerts, filters, filtered);
  if (!picked && wide.matches && location.hash.length < 2) choose(shown[0] || null);
}

// Draws what other filters leave. Where the card is beside the list it is of an alert
// in the list.
function filtered() {
  most = rowsAtOnce;
  draw();
  if (wide.matches && picked && shown.length > 0 && !shown.includes(chosen)) pick(shown[0]);
}

// Shows an alert's card.
function choose(alert) {
  if (alert === chosen) return;
  chosen = alert;
  mark(alert);
  el('none').hidden = alert !== null;
  el('chosen').hidden = alert === null;
  if (!alert) {
    text('none', 'Choose an alert to see its card.');
    return;
  }
  drawCard(alert, byID.get(alert.updates)).catch(e => {
    if (alert !== chosen) return;
    el('chosen').hidden = true; // it has the card of another one
    el('none').hidden = false;
    text('none', e.message);
  });
}

const idOf = alert => encodeURIComponent(alert.id);

// Chooses an alert for the reader, and puts it into the address. The way back from a
// card to the list is the browser's where there is room for one of them only.
function pick(alert, focus) {
  if (!alert) return;
  picked = true;
  const address = '#' + idOf(alert);
  if (wide.matches || location.hash.length > 1) history.replaceState(null, '', address);
  else history.pushState({ list: true }, '', address);
  choose(alert);
  layout();
  if (focus) mark(alert, true);
}

// The address says which alert is shown.
function follow() {
  let id = '';
  try {
    id = decodeURIComponent(location.hash.slice(1));
  } catch {
    id = location.hash.slice(1);
  }
  const alert = byID.get(id) || byID.get(id.replace(/^alert-/, ''));
  el('problem').hidden = true;
  if (alert) {
    picked = true;
    while (shown.indexOf(alert) >= most) {
      most += rowsAtOnce;
      draw();
    }
    choose(alert);
  } else if (id && run && run.stage === 'ended') {
    problem(`This run has no alert ${id}.`);
  }
  layout();
}

// Where there is no room for both, shows the list or the card.
function layout() {
  document.body.classList.toggle('on-card', location.hash.length > 1 && chosen !== null);
  if (chosen) reveal(chosen);
}

function back() {
  if (history.state && history.state.list) {
    history.back();
    return;
  }
  history.replaceState(null, '', location.pathname);
  layout();
  if (chosen) mark(chosen, true);
}

function step(by) {
  const at = shown.indexOf(chosen);
  const next = at < 0 ? 0 : Math.min(Math.max(at + by, 0), shown.length - 1);
  if (next >= most) {
    most += rowsAtOnce;
    draw();
  }
  pick(shown[next], true);
}

function keys(event) {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const target = event.target instanceof Element ? event.target : document.body;
  const typing = target.matches('input[type=search], select, textarea');
  if (event.key === 'Escape') {
    if (target === el('search') && target.value) return; // the field empties itself
    if (typing) target.blur();
    if (document.body.classList.contains('on-card') && !wide.matches) back();
    else if (el('detail').contains(target) && chosen) mark(chosen, true);
    return;
  }
  if (typing) return;
  const scrolls = el('detail').contains(target) || el('strip').contains(target);
  switch (event.key) {
    case 'j': step(1); break;
    case 'k': step(-1); break;
    case 'ArrowDown': if (scrolls) return; step(1); break;
    case 'ArrowUp': if (scrolls) return; step(-1); break;
    case 'Home': if (scrolls) return; pick(shown[0], true); break;
    case 'End': if (scrolls) return; pick(shown[Math.min(most, shown.length) - 1], true); break;
    case '/': el('search').focus(); el('search').select(); break;
    case 'Enter':
      if (!target.closest('tr[data-n]')) return;
      pick(alerts[Number(target.closest('tr[data-n]').dataset.n)]);
      el('detail').focus();
      break;
    default: return;
  }
  event.preventDefault();
}

function problem(what) {
  text('problem', what instanceof Error ? what.message : String(what));
  el('problem').hidden = false;
}

// Takes what the server says of the run, and says whether there is more to come.
function take(answer) {
  const same = run !== null && run.stage === answer.stage && answer.entries.length === 0;
  run = answer;
  for (const entry of run.entries) {
    if (entry.n !== alerts.length) continue;
    entry.at = entry.time ? Date.parse(entry.time) : NaN;
    entry.haystack = [entry.user, entry.address, entry.title, entry.rule, entry.id, entry.finding, entry.findings.join(' '), entry.search].join(' ').toLowerCase();
    alerts.push(entry);
    if (!byID.has(entry.id)) byID.set(entry.id, entry);
  }
  const ended = run.stage === 'ended';
  el('progress').hidden = ended;
  if (run.stage === 'running') el('progress').value = run.done;
  text('stage', ended ? '' : run.stage === 'reading' ? 'Reading the logs…' : `Running, ${Math.floor(100 * run.done)} %`);
  if (!same) {
    document.title = 'Pushback: ' + run.title;
    text('title', run.title);
    text('version', 'adaptivecards ' + run.renderer);
    totals(run, alerts);
    draw();
    if (!picked) follow();
  }
  return alerts.length < run.total || !ended;
}

async function watch() {
  for (;;) {
    const response = await fetch('/run.json?after=' + alerts.length);
    if (!response.ok) throw new Error(await response.text());
    const before = alerts.length;
    const more = take(await response.json());
    document.body.dataset.ready = 'yes';
    if (!more) break;
    if (alerts.length === run.total || alerts.length === before) await new Promise(done => setTimeout(done, 400));
  }
  document.body.dataset.ended = 'yes';
}

// The theme is the system's until the reader chooses.
function theme(dark) {
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
  el('dark').checked = dark;
}
const night = matchMedia('(prefers-color-scheme: dark)');
theme(night.matches);
const followSystem = e => theme(e.matches);
night.addEventListener('change', followSystem);
el('dark').addEventListener('change', e => {
  night.removeEventListener('change', followSystem);
  theme(e.target.checked);
});

filters.listen(filtered);
el('clear').addEventListener('click', () => { filters.clear(); filtered(); el('search').focus(); });
el('more').addEventListener('click', () => { most += rowsAtOnce; draw(); });
el('back').addEventListener('click', back);
el('rows').addEventListener('click', e => {
  const row = e.target.closest('tr[data-n]');
  if (row) pick(alerts[Number(row.dataset.n)], true);
});
document.addEventListener('keydown', keys);
addEventListener('hashchange', follow);
addEventListener('popstate', follow);
wide.addEventListener('change', () => { if (run) draw(); });
let resized = 0;
addEventListener('resize', () => { clearTimeout(resized); resized = setTimeout(() => { if (run) draw(); }, 100); });

watch().catch(e => problem(run && run.stage !== 'ended'
  ? 'Pushback does not answer any more: this is what the run had found until then.'
  : 'The run could not be read: ' + e.message));
