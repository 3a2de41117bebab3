'use strict';
// Draws the cards of a run with the official renderer. Whatever comes from the
// run is text: it goes into the page by textContent and by the renderer alone.

const severities = ['High', 'Medium', 'Low', 'Informational'];
const el = id => document.getElementById(id);

function make(name, className, text) {
  const e = document.createElement(name);
  if (className) e.className = className;
  if (text !== undefined) e.textContent = text;
  return e;
}

// What Teams looks like, in its light and its dark theme.
function hostConfig(dark) {
  const css = getComputedStyle(document.documentElement);
  const color = name => css.getPropertyValue(name).trim();
  const pair = (plain, quiet) => ({ default: plain, subtle: quiet || plain });
  const style = back => ({
    backgroundColor: back,
    foregroundColors: {
      default: pair(color('--ink'), color('--quiet')), dark: pair('#000'), light: pair('#fff'), accent: pair(color('--brand')),
      good: pair(dark ? '#92c353' : '#237b4b'), warning: pair(color('--medium')), attention: pair(color('--high')),
    },
  });
  return new AdaptiveCards.HostConfig({
    fontFamily: getComputedStyle(document.body).fontFamily,
    fontTypes: { default: { fontFamily: getComputedStyle(document.body).fontFamily }, monospace: { fontFamily: 'monospace' } },
    fontSizes: { small: 12, default: 14, medium: 16, large: 18, extraLarge: 24 },
    fontWeights: { lighter: 300, default: 400, bolder: 600 },
    lineHeights: { small: 16, default: 20, medium: 22, large: 24, extraLarge: 32 },
    spacing: { small: 8, default: 12, medium: 16, large: 20, extraLarge: 24, padding: 16 },
    supportsInteractivity: true,
    actions: { maxActions: 6, spacing: 'default', buttonSpacing: 8, actionsOrientation: 'horizontal', actionAlignment: 'left' },
    containerStyles: {
      default: style(color('--paper')), emphasis: style(color('--emphasis')), accent: style(color('--accent')),
      good: style(color('--paper')), warning: style(color('--warning')), attention: style(color('--attention')),
    },
  });
}

function draw(entry, into) {
  into.replaceChildren();
  const card = new AdaptiveCards.AdaptiveCard();
  card.hostConfig = hostConfig(document.documentElement.classList.contains('dark'));
  const context = new AdaptiveCards.SerializationContext(AdaptiveCards.Versions.v1_5);
  card.parse(entry.card, context);
  card.onExecuteAction = action => {
    if (action instanceof AdaptiveCards.OpenUrlAction && /^https:\/\//.test(action.url)) {
      window.open(action.url, '_blank', 'noopener,noreferrer');
    }
  };
  const drawn = card.render();
  if (drawn) into.append(drawn);
  const events = card.validateProperties().validationEvents.map(e => e.message);
  for (let i = 0; i < context.eventCount; i++) events.push(context.getEventAt(i).message);
  into.dataset.events = String(events.length);
}

function start(run) {
  // Text of our own has no Markdown in it, and that of logs is never read for any.
  AdaptiveCards.AdaptiveCard.onProcessMarkdown = () => {};
  document.title = 'Pushback: ' + run.title;
  el('title').textContent = run.title;
  el('totals').textContent = run.totals;
  const shown = [];
  for (const entry of run.cards) {
    const article = make('article');
    article.dataset.severity = entry.severity;
    article.dataset.kind = entry.kind;
    const heading = make('h2');
    heading.append(make('span', 'kind', entry.kind), make('span', '', entry.caption));
    const sides = make('div', 'sides');
    const card = make('div', 'card');
    const json = make('details');
    json.append(make('summary', '', 'JSON, ' + entry.bytes + ' bytes'));
    json.addEventListener('toggle', () => {
      if (json.open && json.children.length === 1) json.append(make('pre', '', JSON.stringify(entry.card, null, 2)));
    });
    sides.append(card, json);
    article.append(heading, sides);
    el('cards').append(article);
    draw(entry, card);
    shown.push({ entry, article, card });
  }
  const boxes = {};
  const filter = () => {
    let any = false;
    for (const s of shown) {
      s.article.hidden = !boxes[s.entry.severity].checked;
      any = any || !s.article.hidden;
    }
    el('empty').hidden = any;
  };
  for (const severity of severities) {
    const count = run.cards.filter(c => c.severity === severity).length;
    const label = make('label');
    const box = make('input');
    box.type = 'checkbox';
    box.checked = true;
    box.id = 'severity-' + severity;
    box.addEventListener('change', filter);
    boxes[severity] = box;
    label.append(box, ' ' + severity + ' ' + count);
    label.hidden = count === 0;
    el('severities').append(label);
  }
  el('phone').addEventListener('change', e => document.body.classList.toggle('phone', e.target.checked));
  const theme = dark => {
    document.documentElement.classList.toggle('dark', dark);
    el('dark').checked = dark;
    for (const s of shown) draw(s.entry, s.card);
  };
  el('dark').addEventListener('change', e => theme(e.target.checked));
  if (matchMedia('(prefers-color-scheme: dark)').matches) theme(true);
  document.body.dataset.ready = 'yes';
}

function problem(text) {
  el('problem').textContent = text;
  el('problem').hidden = false;
}

fetch('/run.json').then(r => r.json()).then(run => {
  const script = make('script');
  script.src = run.renderer.src;
  script.integrity = run.renderer.integrity;
  script.crossOrigin = 'anonymous';
  script.addEventListener('load', () => start(run));
  script.addEventListener('error', () => problem('The renderer of the cards could not be loaded from ' + run.renderer.src + '. Run npm ci --prefix .ci in the folder of the project, or allow the address.'));
  document.head.append(script);
}).catch(e => problem('The run could not be read: ' + e));
