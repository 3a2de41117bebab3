// The card of the chosen alert, drawn by the official renderer, and what can be
// taken from it.

import { count, el, make, text } from './dom.js';

/* global AdaptiveCards */

// What Teams looks like, in the theme of the page: the colours are those of page.css,
// so that another theme needs no other drawing.
function hostConfig() {
  const pair = (plain, quiet) => ({ default: plain, subtle: quiet || plain });
  const style = back => ({
    backgroundColor: back,
    foregroundColors: {
      default: pair('var(--ink)', 'var(--quiet)'), dark: pair('#000'), light: pair('#fff'), accent: pair('var(--brand)'),
      good: pair('var(--good)'), warning: pair('var(--medium)'), attention: pair('var(--high)'),
    },
  });
  const font = getComputedStyle(document.body).fontFamily;
  return new AdaptiveCards.HostConfig({
    fontFamily: font,
    fontTypes: { default: { fontFamily: font }, monospace: { fontFamily: 'monospace' } },
    fontSizes: { small: 12, default: 14, medium: 16, large: 18, extraLarge: 24 },
    fontWeights: { lighter: 300, default: 400, bolder: 600 },
    lineHeights: { small: 16, default: 20, medium: 22, large: 24, extraLarge: 32 },
    spacing: { small: 8, default: 12, medium: 16, large: 20, extraLarge: 24, padding: 16 },
    separator: { lineThickness: 1, lineColor: 'var(--line)' },
    supportsInteractivity: true,
    textBlock: { headingLevel: 2 },
    actions: { maxActions: 6, spacing: 'default', buttonSpacing: 8, actionsOrientation: 'horizontal', actionAlignment: 'left' },
    containerStyles: {
      default: style('var(--paper)'), emphasis: style('var(--emphasis)'), accent: style('var(--accent)'),
      good: style('var(--paper)'), warning: style('var(--warning)'), attention: style('var(--attention)'),
    },
  });
}

function render(source, into) {
  // Text of our own has no Markdown in it, and that of logs is never read for any.
  AdaptiveCards.AdaptiveCard.onProcessMarkdown = () => {};
  const card = new AdaptiveCards.AdaptiveCard();
  card.hostConfig = hostConfig();
  const context = new AdaptiveCards.SerializationContext(AdaptiveCards.Versions.v1_5);
  card.parse(source, context);
  card.onExecuteAction = action => {
    if (action instanceof AdaptiveCards.OpenUrlAction && /^https:\/\//.test(action.url)) {
      window.open(action.url, '_blank', 'noopener,noreferrer');
    }
  };
  const drawn = card.render();
  into.replaceChildren(...(drawn ? [drawn] : []));
  const events = card.validateProperties().validationEvents.map(e => e.message);
  for (let i = 0; i < context.eventCount; i++) events.push(context.getEventAt(i).message);
  into.dataset.events = String(events.length);
  sayExpanded();
}

// Says of each button that shows and hides parts of the card whether they are shown.
// The renderer says it of the parts, which is nothing that can be said of them.
function sayExpanded() {
  for (const button of el('card').querySelectorAll('[aria-controls]')) {
    const parts = button.getAttribute('aria-controls').split(' ').map(id => el('card').querySelector('#' + CSS.escape(id))).filter(e => e !== null);
    for (const e of parts) e.removeAttribute('aria-expanded');
    button.setAttribute('aria-expanded', String(parts.some(e => e.style.display !== 'none')));
  }
}
// It keeps the events to itself, so they are heard on their way in.
for (const event of ['click', 'keyup']) el('card').addEventListener(event, () => setTimeout(sayExpanded), true);

let latest = 0; // the number of the alert that was asked for last
let json = ''; // of the card that is drawn

async function ask(path, alert) {
  const response = await fetch(`${path}?n=${alert.n}`).catch(() => {
    throw new Error('Pushback does not answer any more: the cards are gone with it.');
  });
  if (!response.ok) throw new Error(`The card of ${alert.title} can not be shown: ${await response.text()}`);
  return response.json();
}

export async function drawCard(alert, earlier) {
  latest = alert.n;
  const detail = await ask('/alert.json', alert);
  if (latest !== alert.n) return; // another one was chosen since
  tools(alert);
  el('detail').scrollTop = 0;
  show(detail.card);
  about(alert, earlier, detail);
  rows(alert, detail);
  el('card').dataset.id = alert.id;
}

function show(card) {
  render(card, el('card'));
  json = JSON.stringify(card, null, 2);
  el('json').querySelector('summary').textContent = `JSON of the card, ${new TextEncoder().encode(JSON.stringify(card)).length.toLocaleString('en-US')} bytes`;
  fillJSON();
}

function fillJSON() {
  el('json').querySelector('pre').textContent = el('json').open ? json : '';
}
el('json').addEventListener('toggle', fillJSON);

// Says what the card is to the others: an update of one, or one of many in a digest.
function about(alert, earlier, detail) {
  const parts = [];
  if (alert.updates) {
    parts.push('An update of ');
    if (earlier) {
      const link = make('a', '', earlier.title);
      link.href = '#' + encodeURIComponent(earlier.id);
      parts.push(link);
    } else {
      parts.push(`the alert ${alert.updates}, which is not of this run`);
    }
    parts.push('. ');
  }
  if (detail.together) {
    let whole = false;
    const button = make('button', 'link');
    button.type = 'button';
    button.id = 'digest';
    const say = () => { button.textContent = whole ? 'Show the card of this alert' : 'Show that card'; };
    button.addEventListener('click', async () => {
      whole = !whole;
      say();
      try {
        const card = whole ? await ask('/digest.json', alert) : detail.card;
        if (latest === alert.n) show(card);
      } catch (e) {
        text('said', e.message);
      }
    });
    say();
    parts.push(`Teams gets one card about ${count(detail.together, 'alert', 'alerts')} at once, and this is one of them. `, button);
  }
  el('about').replaceChildren(...parts);
  el('about').hidden = parts.length === 0;
}

function rows(alert, detail) {
  const into = el('raw').querySelector('div');
  const total = detail.rows.length + (detail.moreRows || 0);
  el('raw').hidden = total === 0; // it brings news of an earlier one, or is about there being none
  el('raw').querySelector('summary').textContent = `Raw ${total === 1 ? 'row' : 'rows'} (${total.toLocaleString('en-US')})`;
  const tables = detail.rows.map((row, i) => {
    const table = make('table', 'row');
    if (total > 1) table.append(make('caption', '', `Row ${i + 1}`));
    const body = make('tbody');
    for (const cell of row) {
      const tr = make('tr');
      const name = make('th', '', cell.column);
      name.scope = 'row';
      tr.append(name, make('td', cell.value === '' ? 'quiet' : '', cell.value === '' ? 'empty' : cell.value));
      body.append(tr);
    }
    table.append(body);
    return table;
  });
  into.replaceChildren(...tables, ...(detail.moreRows ? [make('p', 'quiet', `and ${count(detail.moreRows, 'more row', 'more rows')}`)] : []));
}

// The buttons that copy.
function tools(alert) {
  const list = [
    ['user', alert.what, alert.user], ['address', 'Address', alert.address], ['id', 'ID', alert.id],
    ['link', 'Link', location.origin + '/#' + encodeURIComponent(alert.id)],
  ].filter(([, , value]) => value);
  const buttons = list.map(([what, label, value]) => copyButton('copy-' + what, label, () => value));
  el('copies').replaceChildren(make('span', 'quiet', 'Copy'), ...buttons, copyButton('copy-json', 'Copy JSON', () => json));
  text('said', '');
}

function copyButton(id, label, value) {
  const what = label.replace('Copy ', '');
  const button = make('button', '', label);
  button.type = 'button';
  button.id = id;
  button.setAttribute('aria-label', 'Copy ' + what);
  button.addEventListener('click', () => copy(value(), what));
  return button;
}

let cleared = 0;

async function copy(value, what, then) {
  let done = true;
  try {
    await navigator.clipboard.writeText(value);
  } catch {
    done = copyOld(value); // the page is not at an address of this machine
  }
  text('said', done ? `Copied ${what}${then || ''}` : `The browser does not let the page copy ${what}`);
  clearTimeout(cleared);
  cleared = setTimeout(() => text('said', ''), 6000);
}

function copyOld(value) {
  const field = make('textarea');
  field.value = value;
  document.body.append(field);
  field.select();
  const done = document.execCommand('copy');
  field.remove();
  return done;
}

// The designer reads no card from an address: it is copied for it.
el('designer').addEventListener('click', () => { copy(json, 'JSON', ': paste it into the designer’s Card Payload Editor'); });
el('phone').addEventListener('change', e => el('card').classList.toggle('phone', e.target.checked));
