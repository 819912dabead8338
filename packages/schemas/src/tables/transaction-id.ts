import { customType } from 'drizzle-orm/pg-core';

/** A number of a transaction that never comes again (Postgres `xid8`), as text: it may be larger than a JavaScript number holds. */
export const transactionId = customType<{ data: string; driverData: string }>({
  dataType: () => 'xid8',
});
