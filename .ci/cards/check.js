// Asks the official renderer about Adaptive Cards: JSON lines in, JSON lines out.
//
//   {"id": ..., "card": ...}
//       is answered by {"id", "events": [...], "card": ...}: what its parser and its validation complain of, and the card
//       as it understood it.
'use strict';
const readline = require('readline');
const AdaptiveCards = require('adaptivecards/dist/adaptivecards.js');

function check(source) {
  const card = new AdaptiveCards.AdaptiveCard();
  const context = new AdaptiveCards.SerializationContext(AdaptiveCards.Versions.v1_5);
  card.parse(source, context);
  const events = [];
  for (let i = 0; i < context.eventCount; i++) {
    events.push(context.getEventAt(i).message);
  }
  for (const event of card.validateProperties().validationEvents) {
    events.push(event.message);
  }
  return { events, card: card.toJSON() };
}

readline.createInterface({ input: process.stdin, crlfDelay: Infinity }).on('line', line => {
  if (line.trim() === '') return;
  const message = JSON.parse(line);
  process.stdout.write(JSON.stringify({ id: message.id, ...check(message.card) }) + '\n');
});
