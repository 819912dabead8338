/* Given to Node by `--import`, behind tsx: on SIGUSR2 the wall clock of this process jumps by SHIFTED_CLOCK milliseconds, or stands still if that is "frozen". The machine's stays as it is. */

const RealDate = Date;
let now = (): number => RealDate.now();

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget) as Date,
  apply: () => new RealDate(now()).toString(),
  get: (target, name, receiver): unknown =>
    name === 'now' ? () => now() : Reflect.get(target, name, receiver),
});

process.on('SIGUSR2', () => {
  const shift = process.env['SHIFTED_CLOCK'];
  if (shift === 'frozen') {
    const frozen = RealDate.now();
    now = () => frozen;
  } else now = () => RealDate.now() + Number(shift);
});

export {};
