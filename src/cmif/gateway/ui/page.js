// Shows what the gateway tells. Every text becomes a text node: nothing that was typed or answered is ever read as HTML.
'use strict';

const $ = (id) => document.getElementById(id);
const messages = [];
let turns = 0;
let total = 0;

async function open() {
  const token = location.hash.slice(1);
  if (token) {
    history.replaceState(null, '', '/'); // out of the address bar and the history
    const answer = await ask('/open', { token });
    sessionStorage.setItem('key', (await answer.json()).key);
  }
  if (!sessionStorage.getItem('key')) throw new Error('Open the address that the gateway printed when it started.');
}

async function ask(path, body) {
  const headers = { 'content-type': 'application/json', 'x-cmif-page': sessionStorage.getItem('key') ?? '' };
  if ($('key')?.value) headers.authorization = `Bearer ${$('key').value}`;
  const answer = await fetch(path, { method: 'POST', headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error((await answer.json()).error.message);
  return answer;
}

async function* lines(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split('\n');
    rest = parts.pop();
    for (const part of parts) yield JSON.parse(part);
  }
}

function element(name, text, kind) {
  const made = document.createElement(name);
  made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

const look = (reason) => (reason.startsWith('drawn') ? 'drawn' : reason === 'kept as public' ? 'public' : 'surrogate');

function write(into, pieces, side) {
  into.replaceChildren(...pieces.map((piece) => {
    if (!piece.reason || piece.kind === 'answer') return document.createTextNode(piece[side]);
    const mark = element('mark', piece[side], look(piece.reason));
    mark.title = `${piece.kind}: ${piece.reason}`;
    return mark;
  }));
}

function list(into, pieces) {
  const found = pieces.filter((piece) => piece.reason && piece.kind !== 'answer');
  into.querySelector('tbody').replaceChildren(...found.map((piece) => {
    const row = document.createElement('tr');
    const epsilon = piece.epsilon ? piece.epsilon.toFixed(3) : '0';
    row.append(...[piece.text, piece.sent, piece.kind, piece.reason, epsilon].map((text) => element('td', text)));
    return row;
  }));
  into.hidden = found.length === 0;
}

async function send() {
  const text = $('message').value;
  const article = $('turn').content.cloneNode(true).firstElementChild;
  const at = (kind) => article.querySelector(`.${kind}`);
  article.setAttribute('aria-busy', 'true');
  at('typed').textContent = text;
  at('replaced').hidden = true;
  const asked = [...messages, { role: 'user', content: text }];
  const answer = await ask('/chat', { messages: asked });
  turns += 1;
  article.querySelector('h2').textContent = `Turn ${turns}`;
  $('talk').prepend(article);
  $('message').value = '';
  for await (const told of lines(answer)) {
    if (told.sent) {
      const { pieces } = told.sent.at(-1);
      write(at('typed'), pieces, 'text');
      write(at('sees'), pieces, 'sent');
      list(at('replaced'), pieces);
      total += told.epsilon;
      $('epsilon').textContent = `epsilon ${total.toFixed(3)}`;
      if (told.engine) $('engine').textContent = `The engine runs in: ${told.engine}. Its evidence held when turn ${turns} was sent.`;
      $('spent').textContent = `epsilon ${told.spent.toFixed(3)}`;
      at('facts').textContent = `This turn cost epsilon ${told.epsilon.toFixed(3)}. Texts sent: ${told.sent.length}.`;
    } else if (told.error) {
      throw new Error(told.error);
    } else if (told.finish) {
      at('facts').textContent += ` Originals put back: ${told.restored}; withheld where a client would fetch or run them: ${told.withheld}.`;
    } else {
      at('wrote').append(told.wrote);
      at('reads').append(told.read);
    }
  }
  messages.splice(0, Infinity, ...asked, { role: 'assistant', content: at('reads').textContent });
  article.removeAttribute('aria-busy');
  return `Turn ${turns} is answered: ${at('reads').textContent}`;
}

async function compare() {
  const looked = await (await ask('/look', { text: $('message').value })).json();
  $('policies').replaceChildren(...looked.map(({ policy, pieces, epsilon }) => {
    const section = document.createElement('section');
    const text = element('p', '', 'text');
    write(text, pieces, 'sent');
    const count = pieces.filter((piece) => piece.reason && piece.reason !== 'kept as public').length;
    section.append(element('h3', policy), text, element('p', `${count} replaced, epsilon ${epsilon.toFixed(3)}`, 'facts'));
    return section;
  }));
  $('compared').hidden = false;
  return 'The policies are below, side by side.';
}

async function busy(work) {
  const buttons = document.querySelectorAll('button');
  $('alert').textContent = '';
  $('status').textContent = 'Working';
  for (const button of buttons) button.disabled = true;
  try {
    $('status').textContent = (await work()) ?? '';
  } catch (error) {
    $('status').textContent = '';
    $('alert').textContent = error.message;
  } finally {
    for (const button of buttons) button.disabled = false;
  }
}

$('form').addEventListener('submit', (event) => {
  event.preventDefault();
  busy(send).then(() => $('message').focus());
});
$('message').addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) $('form').requestSubmit($('send'));
});
$('compare').addEventListener('click', () => { if ($('message').reportValidity()) busy(compare); });
$('again').addEventListener('click', () => {
  messages.length = turns = total = 0;
  $('talk').replaceChildren();
  $('compared').hidden = true;
  $('epsilon').textContent = 'epsilon 0';
  $('message').focus();
});
busy(open);
