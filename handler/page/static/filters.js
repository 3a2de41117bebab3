// What the list shows, and in which order.

import { clock, day, el, make, oneDay, severities, text } from './dom.js';

const rank = new Map(severities.map((s, i) => [s, i]));
const none = '\u0000none'; // no kind of finding has this name

export class Filters {
  constructor() {
    this.sort = 'severity';
    this.clear();
  }

  clear() {
    this.words = [];
    this.severities = new Set();
    this.rule = '';
    this.finding = '';
    this.hours = null; // [from, to) in milliseconds
    el('search').value = '';
  }

  any() {
    return this.words.length > 0 || this.severities.size > 0 || this.rule !== '' || this.finding !== '' || this.hours !== null;
  }

  // Whether an alert passes all filters but one, whose counts are asked for.
  passes(alert, but) {
    return (but === 'severities' || this.severities.size === 0 || this.severities.has(alert.severity)) &&
      (but === 'rule' || this.rule === '' || alert.rule === this.rule) &&
      (but === 'finding' || this.finding === '' || (this.finding === none ? alert.findings.length === 0 : alert.findings.includes(this.finding))) &&
      (but === 'hours' || this.hours === null || (alert.at >= this.hours[0] && alert.at < this.hours[1])) &&
      this.words.every(w => alert.haystack.includes(w));
  }

  // The alerts that pass, the most severe first and of those the newest.
  apply(alerts) {
    const list = alerts.filter(a => this.passes(a));
    const newest = (a, b) => (b.at || 0) - (a.at || 0) || a.n - b.n;
    return list.sort(this.sort === 'time' ? newest : (a, b) => rank.get(a.severity) - rank.get(b.severity) || newest(a, b));
  }

  listen(changed) {
    el('search').addEventListener('input', e => {
      this.words = e.target.value.toLowerCase().split(/\s+/).filter(w => w !== '');
      changed();
    });
    el('rule').addEventListener('change', e => { this.rule = e.target.value; changed(); });
    el('finding').addEventListener('change', e => { this.finding = e.target.value; changed(); });
    el('hour').addEventListener('click', () => { this.hours = null; changed(); el('search').focus(); });
    for (const th of document.querySelectorAll('th[data-sort]')) {
      th.querySelector('button').addEventListener('click', () => { this.sort = th.dataset.sort; changed(); });
    }
    for (const s of severities) {
      const button = make('button', 'chip ' + s.toLowerCase());
      button.type = 'button';
      button.id = 'severity-' + s;
      button.title = s;
      button.append(make('span', '', s === 'Informational' ? 'Info' : s), ' ', make('span', 'number'));
      button.addEventListener('click', () => {
        if (!this.severities.delete(s)) this.severities.add(s);
        changed();
      });
      el('severities').append(button);
    }
  }

  // Draws the filters with how many alerts each would leave.
  draw(alerts, run) {
    const counted = (but, of) => {
      const counts = new Map();
      for (const a of alerts) {
        for (const key of of(a)) counts.set(key, (counts.get(key) || 0) + (this.passes(a, but) ? 1 : 0));
      }
      return counts;
    };
    const bySeverity = counted('severities', a => [a.severity]);
    for (const s of severities) {
      const button = el('severity-' + s);
      button.hidden = !bySeverity.has(s);
      button.setAttribute('aria-pressed', String(this.severities.has(s)));
      const number = button.querySelector('.number');
      number.textContent = String(bySeverity.get(s) || 0);
    }
    options('rule', 'All rules', counted('rule', a => [a.rule]), this.rule);
    options('finding', 'All findings', counted('finding', a => (a.findings.length > 0 ? [...new Set(a.findings)] : [none])), this.finding);
    for (const th of document.querySelectorAll('th[data-sort]')) {
      if (th.dataset.sort === this.sort) th.setAttribute('aria-sort', 'descending');
      else th.removeAttribute('aria-sort');
    }
    el('hour').hidden = this.hours === null;
    if (this.hours) {
      const hours = stretch(this.hours, oneDay(run));
      text('hour', `${hours} ✕`);
      el('hour').setAttribute('aria-label', `${hours} ✕: all times instead`);
    }
  }
}

// Writes a stretch of time, without its day if it is clear which.
export function stretch([from, to], short) {
  const end = to - from >= 86400000 ? `${day(to)} ${clock(to)}` : clock(to) === '00:00' ? '24:00' : clock(to);
  return `${short ? '' : day(from) + ' '}${clock(from)}–${end}`;
}

// Fills a choice, the most frequent first, if it has others than before.
function options(id, all, counts, value) {
  const select = el(id);
  const keys = [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a) || (a < b ? -1 : 1));
  const sum = [...counts.values()].reduce((n, m) => n + m, 0);
  const label = key => `${key === none ? 'No finding' : key} (${counts.get(key)})`;
  const wanted = [['', id === 'rule' ? `${all} (${sum})` : all], ...keys.map(k => [k, label(k)])];
  if (wanted.length !== select.options.length || wanted.some(([v, l], i) => select.options[i].value !== v || select.options[i].textContent !== l)) {
    select.replaceChildren(...wanted.map(([v, l]) => {
      const option = make('option', '', l);
      option.value = v;
      return option;
    }));
  }
  select.value = value;
}
