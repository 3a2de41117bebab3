'use strict';
// The page's policy keeps every text from becoming HTML. The renderer of cards
// empties elements by setting their HTML to the empty text, and that alone may
// pass; what comes from logs is only ever set as text.
if (window.trustedTypes) {
  window.trustedTypes.createPolicy('default', { createHTML: text => (text === '' ? text : null) });
}
