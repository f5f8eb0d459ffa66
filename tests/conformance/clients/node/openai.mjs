// npm `openai`: chat and responses, streamed, with tools, parsed.
import assert from 'node:assert';
import { readFileSync } from 'node:fs';
import OpenAI from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import { z } from 'zod';

const asked = JSON.parse(readFileSync(0, 'utf8'));
const client = new OpenAI({ baseURL: `${asked.url}/v1`, apiKey: 'x', maxRetries: 0 });
const { model } = asked;
const user = (content) => [{ role: 'user', content }];
const tools = [{ type: 'function', function: asked.tool }];
const create = (body) => client.chat.completions.create({ model, ...body });
const read = {};

read.models = (await client.models.list()).data.map((m) => m.id);
read.text = (await create({ messages: user(asked.hello) })).choices[0].message.content;
const texts = [];
for await (const chunk of await create({ messages: user(asked.hello), stream: true })) {
  const text = chunk.choices[0]?.delta?.content;
  if (text) texts.push(text);
}
assert(texts.length > 1);
read.streamed = texts.join('');
const first = (await create({ messages: user(asked.call), tools })).choices[0].message;
read.call = JSON.parse(first.tool_calls[0].function.arguments);
const result = { role: 'tool', tool_call_id: first.tool_calls[0].id, content: 'done' };
const after = await create({ messages: [...user(asked.call), first, result], tools });
read['after the tool'] = after.choices[0].message.content;
const streamed = client.chat.completions.stream({ model, messages: user(asked.call), tools });
const [call] = (await streamed.finalMessage()).tool_calls;
read['streamed call'] = JSON.parse(call.function.arguments);
const runner = client.chat.completions.runTools({
  model,
  messages: user(asked.call),
  tools: [{ type: 'function', function: { ...asked.tool, parse: JSON.parse, function: () => 'done' } }],
});
read['tool loop'] = await runner.finalContent();
const format = zodResponseFormat(z.object({ who: z.string() }), 'person');
const parsed = await client.chat.completions.parse({ model, messages: user(asked.extract), response_format: format });
read.parsed = parsed.choices[0].message.parsed;
read.response = (await client.responses.create({ model, input: asked.hello })).output_text;
const events = client.responses.stream({ model, input: asked.hello });
read['streamed response'] = (await events.finalResponse()).output_text;
for (const [name, body] of [
  ['another model', { model: 'gpt-5', messages: user('hi') }],
  ['too long', { messages: user(asked.long) }],
]) {
  await create(body).catch((error) => { read[name] = error.status; });
}
console.log(JSON.stringify(read));
