export { createClient } from './client.js';
export type { Client, PartsOf } from './client.js';
export type { BatchOptions, Commands } from './commands.js';
export type { ConnectionOptions } from './connection.js';
export { ApiError, NetworkError, ResyncRequired } from './errors.js';
export type { ErrorCode, ErrorDetail, ErrorSource, UnexpectedAnswer } from './errors.js';
export type { ChangesOptions, EventsOptions, StreamEvent, StreamOptions } from './events.js';
export { newId } from './ids.js';
export type { Body, Data, Filters, Meta, Operation, Result, ResultOf, Row } from './operations.js';
export type { CallOptions, ClientOptions, CommandOptions, QueryOptions } from './options.js';
export type { RetryOptions } from './retry.js';
export type { Channel, TextStorage } from './sequences.js';
export type { Message } from './sse.js';
export type { GetToken } from './token.js';
export type * from './types.js';

/** The generated functions, for `client.query` and `client.command`. */
export * as operations from './generated/sdk.gen.js';
/** The generated types, by their names in the OpenAPI document. */
export type * as schemas from './generated/types.gen.js';
