// SPDX-License-Identifier: AGPL-3.0-or-later
//
// How each provider writes: streams, whole answers, failures, models and embeddings, byte for
// byte as the real ones frame them. provider.mjs serves this; nothing here knows of sockets.
//
// A form is built for one request: `form(kind, provider, request, script)`. Its functions give
// strings, each what the provider sends in one piece.
import { createHash } from 'node:crypto';

const CREATED = 1790000000;
const ID = 'answer-0001';

const sse = (data) => `data: ${JSON.stringify(data)}\n\n`;
const named = (name, data) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;

// What `script.usage` says, with what follows from it; undefined: the provider says nothing.
function usageOf(script) {
  if (script.usage === false) return undefined;
  const { input = 12, output = 7, cached, reasoning } = script.usage ?? {};
  return { input, output, cached, reasoning, total: input + output };
}

export function toolsOf(script) {
  const tools = script.tools ?? (script.tool ? [script.tool] : []);
  return tools.map((tool, i) => ({
    id: tool.id ?? `call_${i + 1}`,
    name: tool.name ?? 'look_up',
    text: typeof tool.arguments === 'string' ? tool.arguments : JSON.stringify(tool.arguments ?? {}),
  }));
}

function fragments(text, size = 8) {
  const characters = [...text];
  const out = [];
  for (let i = 0; i < characters.length; i += size) out.push(characters.slice(i, i + size).join(''));
  return out;
}

// `undefined`: as the answer would naturally end. null: it never says.
function finishOf(script) {
  if (script.finish !== undefined) return script.finish;
  return toolsOf(script).length > 0 ? 'tool' : 'stop';
}

const NAMES = {
  openai: { stop: 'stop', length: 'length', tool: 'tool_calls', filter: 'content_filter' },
  google: { stop: 'STOP', length: 'MAX_TOKENS', tool: 'STOP', filter: 'SAFETY' },
  anthropic: { stop: 'end_turn', length: 'max_tokens', tool: 'tool_use', filter: 'refusal' },
  ollama: { stop: 'stop', length: 'length', tool: 'stop', filter: 'stop' },
  dashscope: { stop: 'stop', length: 'length', tool: 'tool_calls', filter: 'content_filter' },
};

// The provider's own word; any other word is sent as it is.
const wordOf = (family, finish) => NAMES[family][finish] ?? finish;

function openaiUsage(script) {
  const usage = usageOf(script);
  if (!usage) return null;
  return {
    prompt_tokens: usage.input,
    completion_tokens: usage.output,
    total_tokens: usage.total,
    ...(usage.cached === undefined ? {} : { prompt_tokens_details: { cached_tokens: usage.cached } }),
    ...(usage.reasoning === undefined ? {}
      : { completion_tokens_details: { reasoning_tokens: usage.reasoning } }),
  };
}

function openaiCalls(script) {
  return toolsOf(script).map(({ id, name, text }) => (
    { id, type: 'function', function: { name, arguments: text } }));
}

const NOTHING_FILTERED = { hate: { filtered: false, severity: 'safe' } };

// OpenAI, servers compatible with it, and Azure, which adds its filter's remarks.
function openai({ request, script, model, azure }) {
  const remarks = azure ? { content_filter_results: NOTHING_FILTERED } : {};
  const thought = script.reasoningField ?? 'reasoning_content';
  const chunk = (delta, finish = null) => sse({
    id: ID, object: 'chat.completion.chunk', created: CREATED, model,
    choices: [{ index: 0, delta, finish_reason: finish, ...remarks }],
    ...(request.stream_options?.include_usage ? { usage: null } : {}),
  });
  const failure = ({ status, code, message, type, param }) => ({
    error: azure ? { code: code ?? String(status), message }
      : { message, type: type ?? 'server_error', param: param ?? null, code: code ?? null },
  });
  return {
    type: 'text/event-stream',
    open: () => [
      ...(azure ? [sse({ id: '', object: '', created: 0, model: '', choices: [],
        prompt_filter_results: [{ prompt_index: 0, content_filter_results: NOTHING_FILTERED }] })] : []),
      chunk({ role: 'assistant', content: '' }),
    ],
    text: (piece) => chunk({ content: piece }),
    reasoning: (piece) => chunk({ [thought]: piece }),
    tool: ({ id, name, text }, index) => [
      chunk({ tool_calls: [{ index, id, type: 'function', function: { name, arguments: '' } }] }),
      ...fragments(text).map((part) => (
        chunk({ tool_calls: [{ index, function: { arguments: part } }] }))),
    ],
    end: (finish) => [
      ...(finish === null ? [] : [chunk({}, wordOf('openai', finish))]),
      ...(azure && script.lateFilter ? [sse({ id: ID, object: 'chat.completion.chunk',
        created: CREATED, model, choices: [{ index: 0, finish_reason: 'content_filter',
          content_filter_results: { hate: { filtered: true, severity: 'high' } },
          content_filter_offsets: { check_offset: 0, start_offset: 0, end_offset: 9 } }] })] : []),
      ...(request.stream_options?.include_usage && usageOf(script)
        ? [sse({ id: ID, object: 'chat.completion.chunk', created: CREATED, model, choices: [],
          usage: openaiUsage(script) })] : []),
    ],
    marker: 'data: [DONE]\n\n',
    comment: ': keep-alive\n\n',
    error: (error) => sse(failure(error)),
    failure,
    whole: (text, reasoning, finish) => ({
      id: ID, object: 'chat.completion', created: CREATED, model,
      choices: [{ index: 0, finish_reason: wordOf('openai', finish),
        message: { role: 'assistant', content: text || null,
          ...(reasoning ? { [thought]: reasoning } : {}),
          ...(toolsOf(script).length ? { tool_calls: openaiCalls(script) } : {}) } }],
      usage: openaiUsage(script) ?? undefined,
    }),
  };
}

function google({ script, model }) {
  const usage = usageOf(script);
  const counts = usage && { promptTokenCount: usage.input,
    candidatesTokenCount: usage.output - (usage.reasoning ?? 0), totalTokenCount: usage.total,
    ...(usage.cached === undefined ? {} : { cachedContentTokenCount: usage.cached }),
    ...(usage.reasoning === undefined ? {} : { thoughtsTokenCount: usage.reasoning }) };
  const answer = (parts, finish) => ({
    candidates: [{ content: { parts, role: 'model' }, index: 0,
      ...(finish ? { finishReason: finish } : {}) }],
    ...(counts ? { usageMetadata: counts } : {}),
    modelVersion: model, responseId: ID,
  });
  const chunk = (parts, finish) => `data: ${JSON.stringify(answer(parts, finish))}\r\n\r\n`;
  const call = ({ name, text }) => ({ functionCall: { name, args: JSON.parse(text) } });
  const failure = ({ status, code, message, details }) => (
    { error: { code: status, message, status: code, ...(details ? { details } : {}) } });
  return {
    type: 'text/event-stream',
    open: () => [],
    text: (piece) => chunk([{ text: piece }]),
    reasoning: (piece) => chunk([{ text: piece, thought: true }]),
    tool: (tool) => [chunk([call(tool)])],
    end: (finish) => (finish === null ? [] : [chunk([{ text: '' }], wordOf('google', finish))]),
    marker: '',
    comment: '\r\n',
    error: (error) => `${JSON.stringify(failure(error), null, 2)}\n`, // behind the events, unframed
    failure,
    whole: (text, reasoning, finish) => answer([
      ...(reasoning ? [{ text: reasoning, thought: true }] : []),
      ...(text ? [{ text }] : []),
      ...toolsOf(script).map(call),
    ], wordOf('google', finish)),
  };
}

function anthropic({ script, model }) {
  const usage = usageOf(script);
  const input = usage && { input_tokens: usage.input - (usage.cached ?? 0),
    cache_creation_input_tokens: 0, cache_read_input_tokens: usage.cached ?? 0 };
  const failure = ({ code, message }) => (
    { type: 'error', error: { type: code, message }, request_id: 'req_0001' });
  let index = -1;
  let block = null; // type of the open one
  const close = () => {
    const was = block;
    block = null;
    return was ? named('content_block_stop', { type: 'content_block_stop', index }) : '';
  };
  const into = (type, start) => {
    if (block === type && type !== 'tool_use') return '';
    const ended = close();
    block = type;
    index++;
    return ended + named('content_block_start', { type: 'content_block_start', index,
      content_block: { type, ...start } });
  };
  const delta = (value) => named('content_block_delta', { type: 'content_block_delta', index,
    delta: value });
  return {
    type: 'text/event-stream; charset=utf-8',
    open: () => [
      named('message_start', { type: 'message_start', message: { id: ID, type: 'message',
        role: 'assistant', model, content: [], stop_reason: null,
        usage: usage && { ...input, output_tokens: 1 } } }),
      named('ping', { type: 'ping' }),
    ],
    text: (piece) => into('text', { text: '' }) + delta({ type: 'text_delta', text: piece }),
    reasoning: (piece) => (
      into('thinking', { thinking: '' }) + delta({ type: 'thinking_delta', thinking: piece })),
    tool: ({ id, name, text }) => [
      into('tool_use', { id, name, input: {} }),
      ...fragments(text).map((part) => delta({ type: 'input_json_delta', partial_json: part })),
    ],
    end: (finish) => [
      close(),
      ...(finish === null ? [] : [named('message_delta', { type: 'message_delta',
        delta: { stop_reason: wordOf('anthropic', finish), stop_sequence: null },
        ...(usage ? { usage: { output_tokens: usage.output } } : {}) })]),
    ].filter((piece) => piece),
    marker: named('message_stop', { type: 'message_stop' }),
    comment: named('ping', { type: 'ping' }),
    error: (error) => named('error', failure(error)),
    failure,
    whole: (text, reasoning, finish) => ({
      id: ID, type: 'message', role: 'assistant', model,
      content: [
        ...(reasoning ? [{ type: 'thinking', thinking: reasoning, signature: 'c2lnbmVk' }] : []),
        ...(text ? [{ type: 'text', text }] : []),
        ...toolsOf(script).map((tool) => (
          { type: 'tool_use', id: tool.id, name: tool.name, input: JSON.parse(tool.text) })),
      ],
      stop_reason: wordOf('anthropic', finish), stop_sequence: null,
      usage: usage && { ...input, output_tokens: usage.output },
    }),
  };
}

function ollama({ script, model }) {
  const line = (message, rest = { done: false }) => `${JSON.stringify({ model,
    created_at: '2026-11-24T12:00:00.000000Z', message: { role: 'assistant', ...message },
    ...rest })}\n`;
  const usage = usageOf(script);
  const last = (finish) => ({ done: true, done_reason: wordOf('ollama', finish),
    total_duration: 5000000, load_duration: 1000000,
    ...(usage ? { prompt_eval_count: usage.input, eval_count: usage.output } : {}) });
  const call = ({ id, name, text }, index) => (
    { id, function: { index, name, arguments: JSON.parse(text) } });
  const failure = ({ message }) => ({ error: message });
  return {
    type: 'application/x-ndjson',
    open: () => [],
    text: (piece) => line({ content: piece }),
    reasoning: (piece) => line({ content: '', thinking: piece }),
    tool: (tool, index) => [line({ content: '', tool_calls: [call(tool, index)] })],
    end: (finish) => (finish === null ? [] : [line({ content: '' }, last(finish))]),
    marker: '',
    comment: '\n',
    error: (error) => `${JSON.stringify(failure(error))}\n`,
    failure,
    whole: (text, reasoning, finish) => JSON.parse(line({ content: text,
      ...(reasoning ? { thinking: reasoning } : {}),
      ...(toolsOf(script).length ? { tool_calls: toolsOf(script).map(call) } : {}) }, last(finish))),
  };
}

function dashscope({ request, script }) {
  // As the service does: without incremental_output every event repeats all that came before.
  const whole = script.cumulative ?? !request.parameters?.incremental_output;
  const usage = usageOf(script);
  const counts = usage && { input_tokens: usage.input, output_tokens: usage.output,
    total_tokens: usage.total,
    ...(usage.cached === undefined ? {} : { prompt_tokens_details: { cached_tokens: usage.cached } }),
    ...(usage.reasoning === undefined ? {}
      : { output_tokens_details: { reasoning_tokens: usage.reasoning } }) };
  const all = { content: '', reasoning: '', calls: [] };
  let id = 0;
  const calls = () => openaiCalls(script).map((call, index) => ({ index, ...call }));
  const output = (message, finish) => ({ output: { choices: [{ message: { role: 'assistant',
    ...message }, finish_reason: finish }] }, ...(counts ? { usage: counts } : {}),
  request_id: 'c0ffee' });
  const event = (data, name = 'result', status = 200) => (
    `id:${++id}\nevent:${name}\n:HTTP_STATUS/${status}\ndata:${JSON.stringify(data)}\n\n`);
  const say = (content, reasoning, toolCalls = [], finish = 'null') => {
    all.content += content;
    all.reasoning += reasoning;
    all.calls.push(...toolCalls);
    const part = whole ? all : { content, reasoning, calls: toolCalls };
    return event(output({ content: part.content, reasoning_content: part.reasoning,
      ...(part.calls.length ? { tool_calls: part.calls } : {}) }, finish));
  };
  const failure = ({ code, message }) => ({ code, message, request_id: 'c0ffee' });
  return {
    type: 'text/event-stream;charset=UTF-8',
    open: () => [],
    text: (piece) => say(piece, ''),
    reasoning: (piece) => say('', piece),
    tool: (tool, index) => [say('', '', [calls()[index]])],
    end: (finish) => (finish === null ? [] : [say('', '', [], wordOf('dashscope', finish))]),
    marker: '',
    comment: ':HTTP_STATUS/200\n\n',
    error: (error) => event(failure(error), 'error', error.status),
    failure,
    whole: (text, reasoning, finish) => output({ content: text,
      ...(reasoning ? { reasoning_content: reasoning } : {}),
      ...(toolsOf(script).length ? { tool_calls: calls() } : {}) }, wordOf('dashscope', finish)),
  };
}

const CHAT = {
  openai, google, anthropic, ollama, dashscope,
  azure: (about) => openai({ ...about, azure: true }),
};

export const PROVIDERS = Object.keys(CHAT);

export function chatForm(provider, request, script) {
  const model = script.model ?? request.model ?? 'test-model';
  return CHAT[provider]({ request, script, model });
}

// All pieces of a streamed answer, in order: { bytes, counts }, where `counts` says that it
// brings text, reasoning or (the first of) a tool call: what stallAfter and its like count.
export function streamOf(form, script) {
  const finish = finishOf(script);
  const pieces = [...(script.comments ? Array(script.comments).fill(form.comment) : []),
    ...form.open()].map((bytes) => ({ bytes }));
  for (const piece of script.reasoning ?? []) pieces.push({ bytes: form.reasoning(piece), counts: true });
  if (script.hugeLine) {
    const bytes = script.hugeLine === true ? 2 * 1024 * 1024 : script.hugeLine;
    pieces.push({ bytes: form.text('x'.repeat(bytes)) });
  }
  for (const piece of script.deltas ?? []) pieces.push({ bytes: form.text(piece), counts: true });
  toolsOf(script).forEach((tool, index) => {
    form.tool(tool, index).forEach((bytes, i) => pieces.push({ bytes, counts: i === 0 }));
  });
  for (const bytes of form.end(finish)) pieces.push({ bytes });
  if (script.marker !== false && form.marker) pieces.push({ bytes: form.marker });
  return pieces;
}

export function wholeOf(form, script) {
  return form.whole((script.deltas ?? []).join(''), (script.reasoning ?? []).join(''),
    finishOf(script));
}

// --- failures ---

const CODES = {
  openai: { 400: 'invalid_request_error', 401: 'invalid_api_key', 402: 'insufficient_quota',
    404: 'model_not_found', 429: 'rate_limit_exceeded', 500: 'server_error', 503: 'overloaded' },
  azure: { 400: 'BadRequest', 401: '401', 404: 'DeploymentNotFound', 429: '429' },
  google: { 400: 'INVALID_ARGUMENT', 401: 'UNAUTHENTICATED', 403: 'PERMISSION_DENIED',
    404: 'NOT_FOUND', 429: 'RESOURCE_EXHAUSTED', 500: 'INTERNAL', 503: 'UNAVAILABLE' },
  anthropic: { 400: 'invalid_request_error', 401: 'authentication_error', 402: 'billing_error',
    404: 'not_found_error', 429: 'rate_limit_error', 500: 'api_error', 529: 'overloaded_error' },
  ollama: {},
  dashscope: { 400: 'InvalidParameter', 401: 'InvalidApiKey', 404: 'ModelNotFound',
    429: 'Throttling.RateQuota', 500: 'InternalError', 503: 'ModelUnavailable' },
};

// `error`: { status, code, message, details }; what is missing is what this provider would say.
export function completeError(provider, { status = 500, code, message, ...rest } = {}) {
  return { status, code: code ?? CODES[provider][status], message: message ?? `failure ${status}`,
    ...rest };
}

// --- models and embeddings ---

export function modelsOf(provider, names) {
  switch (provider) {
    case 'google':
      return { models: names.map((name) => ({ name: `models/${name}`, inputTokenLimit: 8192,
        outputTokenLimit: 2048, supportedGenerationMethods: ['generateContent'] })) };
    case 'ollama':
      return { models: names.map((name) => ({ name, model: name, size: 1000,
        details: { family: 'test', parameter_size: '1B' } })) };
    case 'anthropic':
      return { data: names.map((id) => ({ id, type: 'model', display_name: id,
        created_at: '2026-01-01T00:00:00Z' })), has_more: false };
    default:
      return { object: 'list', data: names.map((id) => (
        { id, object: 'model', created: CREATED, owned_by: 'tests' })) };
  }
}

// The same vector for the same text, of length 1.
export function vectorOf(text, dimensions = 8) {
  const bytes = createHash('sha512').update(text).digest();
  const raw = Array.from({ length: dimensions }, (_, i) => bytes[i % bytes.length] - 127.5);
  const length = Math.hypot(...raw);
  return raw.map((value) => value / length);
}

export function embeddedTexts(provider, request) {
  switch (provider) {
    case 'google':
      return (request.requests ?? [request]).map((one) => (
        one.content.parts.map((part) => part.text).join('')));
    case 'dashscope': return request.input.texts;
    default: return Array.isArray(request.input) ? request.input : [request.input];
  }
}

export function embeddingsOf(provider, request, makeVector = vectorOf) {
  const dimensions = request.dimensions ?? request.parameters?.dimension ??
    request.requests?.[0]?.outputDimensionality;
  const texts = embeddedTexts(provider, request);
  const vectors = texts.map((text) => makeVector(text, dimensions));
  const tokens = texts.length * 3;
  switch (provider) {
    case 'google':
      return request.requests ? { embeddings: vectors.map((values) => ({ values })) }
        : { embedding: { values: vectors[0] } };
    case 'ollama':
      return { model: request.model, embeddings: vectors, prompt_eval_count: tokens };
    case 'dashscope': // in no order: callers must look at the index
      return { output: { embeddings: vectors.map((embedding, i) => (
        { text_index: i, embedding })).reverse() }, usage: { total_tokens: tokens },
      request_id: 'c0ffee' };
    default:
      return { object: 'list', data: vectors.map((embedding, index) => (
        { object: 'embedding', index, embedding })).reverse(), model: request.model,
      usage: { prompt_tokens: tokens, total_tokens: tokens } };
  }
}
