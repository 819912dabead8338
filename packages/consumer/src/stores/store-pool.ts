import type pg from 'pg';

/** What the store needs of a pool of `pg`; two connections do. */
export type StorePool = Pick<pg.Pool, 'connect' | 'query'>;
