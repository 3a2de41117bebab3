// The table of alerts.

import { clock, day, el, make, oneDay } from './dom.js';

export function drawRows(alerts, run, chosen) {
  const short = oneDay(run);
  el('alerts').classList.toggle('days', !short);
  el('alerts').classList.toggle('no-address', alerts.every(a => a.address === ''));
  const had = document.activeElement && document.activeElement.closest('tr[data-n]');
  el('rows').replaceChildren(...alerts.map(a => row(a, short)));
  mark(chosen, Boolean(had));
  if (!el('rows').querySelector('[tabindex="0"]') && el('rows').firstChild) el('rows').firstChild.tabIndex = 0;
}

function row(alert, short) {
  const tr = make('tr');
  tr.setAttribute('role', 'row');
  tr.setAttribute('aria-selected', 'false');
  tr.tabIndex = -1;
  tr.dataset.n = alert.n;
  tr.dataset.severity = alert.severity;
  tr.dataset.id = alert.id;
  const severity = make('span', 'severity ' + alert.severity.toLowerCase(), alert.severity === 'Informational' ? 'Info' : alert.severity);
  tr.append(
    cell('is-severity', severity),
    cell('is-time', time(alert, short)),
    cell('is-user', who(alert.user || '–', alert.users)),
    cell('is-address', who(alert.address || '–', alert.addresses)),
    cell('is-finding', ...(alert.updates ? [make('span', 'mark', 'Update'), ' '] : []), ...(alert.storm ? [make('span', 'mark', `Storm of ${alert.storm}`), ' '] : []), make('span', '', alert.finding)),
  );
  // Where there is room for a few words, the rest is a matter of pointing at them.
  if (alert.whole) tr.lastChild.title += `: ${alert.whole}`;
  return tr;
}

function cell(className, ...content) {
  const td = make('td', className);
  td.setAttribute('role', 'gridcell');
  td.append(...content);
  td.title = td.textContent;
  return td;
}

function time(alert, short) {
  if (Number.isNaN(alert.at)) return make('span', 'quiet', 'unknown');
  const t = make('time', '', short ? clock(alert.at) : `${day(alert.at)} ${clock(alert.at)}`);
  t.dateTime = alert.time;
  return t;
}

// Writes a name, the domain of a user's quietly: it is mostly the same.
function who(first, more) {
  const at = first.indexOf('@');
  const span = make('span', '', at > 0 ? first.slice(0, at) : first);
  if (at > 0) span.append(make('span', 'quiet', first.slice(at)));
  if (more > 0) span.append(make('span', 'quiet', ` +${more}`));
  return span;
}

// Marks the row of an alert as the chosen one, and gives it the focus if asked to.
// The list stays where the reader has scrolled it.
export function mark(alert, focus) {
  for (const tr of el('rows').querySelectorAll('[aria-selected="true"], [tabindex="0"]')) {
    tr.setAttribute('aria-selected', 'false');
    tr.tabIndex = -1;
  }
  if (!alert) return;
  const tr = el('rows').querySelector(`tr[data-n="${alert.n}"]`);
  if (!tr) return;
  tr.setAttribute('aria-selected', 'true');
  tr.tabIndex = 0;
  if (focus) tr.focus({ preventScroll: true });
}

// Scrolls the list to the row of an alert.
export function reveal(alert) {
  const tr = el('rows').querySelector(`tr[data-n="${alert.n}"]`);
  if (tr) tr.scrollIntoView({ block: 'nearest' });
}
