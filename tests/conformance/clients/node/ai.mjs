// Vercel's `ai` with the OpenAI-compatible provider: text, tool loops, objects.
import assert from 'node:assert';
import { readFileSync } from 'node:fs';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateText, Output, stepCountIs, streamText, tool } from 'ai';
import { z } from 'zod';

const asked = JSON.parse(readFileSync(0, 'utf8'));
const cmif = createOpenAICompatible({
  name: 'cmif', baseURL: `${asked.url}/v1`, apiKey: 'x', includeUsage: true, supportsStructuredOutputs: true,
});
const common = { model: cmif(asked.model), maxRetries: 0 };
const read = {};

read.text = (await generateText({ ...common, prompt: asked.hello })).text;
const stream = streamText({ ...common, prompt: asked.hello });
const texts = [];
for await (const text of stream.textStream) texts.push(text);
assert(texts.length > 1);
assert((await stream.usage).totalTokens > 0);
read.streamed = texts.join('');
const called = [];
const save = tool({
  description: 'Save a person.',
  inputSchema: z.object({ who: z.string(), n: z.number().int() }),
  execute: async (input) => { called.push(input); return 'done'; },
});
const loop = { ...common, prompt: asked.call, tools: { save }, stopWhen: stepCountIs(3) };
const { text } = await generateText(loop);
read['tool loop'] = [called[0], text];
const streamed = streamText(loop);
for await (const _ of streamed.textStream);
read['streamed tool loop'] = (await streamed.text);
const typed = await generateText({
  ...common, prompt: asked.extract, output: Output.object({ schema: z.object({ who: z.string() }) }),
});
read.parsed = typed.output;
for (const [name, change] of [
  ['another model', { model: cmif('gpt-5'), prompt: 'hi' }],
  ['too long', { prompt: asked.long }],
]) {
  await generateText({ ...common, ...change }).catch((error) => { read[name] = error.statusCode; });
}
console.log(JSON.stringify(read));
