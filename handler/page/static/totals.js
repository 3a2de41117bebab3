// The one line of totals.

import { clock, count, date, oneDay, severities, text } from './dom.js';

export function totals(run, alerts) {
  const parts = [];
  const by = severities.map(s => [s, alerts.filter(a => a.severity === s).length]).filter(([, n]) => n > 0).map(([s, n]) => `${n} ${s}`);
  parts.push(count(alerts.length, 'alert', 'alerts') + (by.length > 0 ? ` (${by.join(', ')})` : ''));
  const updates = alerts.filter(a => a.updates).length;
  if (updates > 0) parts.push(`${updates.toLocaleString('en-US')} of them ${updates === 1 ? 'an update of an earlier one' : 'updates of earlier ones'}`);
  const steps = run.steps || [];
  if (run.stage !== 'reading') {
    const sum = of => steps.reduce((n, s) => n + s[of], 0);
    const rejections = sum('rejections');
    parts.push(count(sum('records'), run.one, run.many) + (rejections > 0 ? `, ${rejections.toLocaleString('en-US')} rejected` : ''));
    parts.push(count(run.rules, 'rule', 'rules'));
  }
  if (run.first) {
    const [from, to] = [Date.parse(run.first), Date.parse(run.last)];
    parts.push(oneDay(run) ? `${date(from)} ${clock(from)}–${clock(to) === '00:00' ? '24:00' : clock(to)} UTC` : `${date(from)} ${clock(from)} – ${date(to)} ${clock(to)} UTC`);
  }
  text('totals', parts.join(' · '));
}
