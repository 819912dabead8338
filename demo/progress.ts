import { MultiBar, type Options, type SingleBar } from 'cli-progress';

/** Where progress is shown, and how. */
export interface ProgressOptions {
  /** On a terminal a bar is redrawn; elsewhere there is a plain line every `plainIntervalMs`. */
  readonly output: NodeJS.WriteStream;
  /** Defaults to 3,000. */
  readonly plainIntervalMs?: number;
}

/** Progress of the one stage that runs. */
export interface Progress {
  /** Begins a stage of `total` steps; the one before is ended. `live` is what is said beside the bar, asked at each redraw. */
  readonly begin: (stage: string, total: number, live: () => string) => void;
  /** `count` steps (1) are done. */
  readonly advance: (count?: number) => void;
  /** A line that stays, above the bar. */
  readonly note: (line: string) => void;
  /** Ends the stage and leaves its last state to be read. Any number of times. */
  readonly end: () => void;
}

/** Shows a bar with a live line on a terminal, and plain lines elsewhere: a log or a CI job stays readable. */
export function createProgress(options: ProgressOptions): Progress {
  return options.output.isTTY ? barProgress(options) : plainProgress(options);
}

/** Steps done and their rate, for example `1,200/2,000 · 640/s`. */
export function stepsText(done: number, total: number, elapsedMs: number): string {
  const rate = elapsedMs < 100 ? 0 : Math.round((done * 1000) / elapsedMs);
  const number = (value: number) => value.toLocaleString('en-US');
  return `${number(done)}/${number(total)} · ${number(rate)}/s`;
}

function barProgress({ output }: ProgressOptions): Progress {
  let bars: MultiBar | undefined;
  let bar: SingleBar | undefined;
  let line: SingleBar | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stage = '';
  let live = () => '';
  let done = 0;
  let total = 0;
  let startedMs = 0;
  const redraw = () => {
    bar?.update(done, { steps: stepsText(done, total, performance.now() - startedMs) });
    line?.update(0, { live: live() });
  };
  const end = () => {
    if (!bars) return;
    clearInterval(timer);
    redraw();
    bars.stop();
    bars = bar = line = undefined;
  };
  return {
    begin: (nextStage, nextTotal, nextLive) => {
      end();
      [stage, total, live] = [nextStage, nextTotal, nextLive];
      [done, startedMs] = [0, performance.now()];
      const settings: Options & { stream: NodeJS.WriteStream } = {
        stream: output,
        hideCursor: true,
        // Ctrl-C is ours: the bar is ended on the way out.
        gracefulExit: false,
        barsize: 28,
        barCompleteChar: '█',
        barIncompleteChar: '░',
        emptyOnZero: true,
      };
      bars = new MultiBar({ ...settings, format: '{stage} {bar} {percentage}% {steps}' });
      bar = bars.create(total, 0, { stage: stage.padEnd(6), steps: '' });
      line = bars.create(1, 0, { live: '' }, { format: '       {live}' });
      redraw();
      timer = setInterval(redraw, 200);
    },
    advance: (count = 1) => void (done += count),
    note: (text) => {
      if (bars) bars.log(`${text}\n`);
      else output.write(`${text}\n`);
    },
    end,
  };
}

function plainProgress({ output, plainIntervalMs = 3000 }: ProgressOptions): Progress {
  let timer: NodeJS.Timeout | undefined;
  let stage = '';
  let live = () => '';
  let done = 0;
  let total = 0;
  let startedMs = 0;
  const write = () => {
    const beside = live();
    const steps = stepsText(done, total, performance.now() - startedMs);
    output.write(`${stage}: ${steps}${beside === '' ? '' : ` · ${beside}`}\n`);
  };
  const end = () => {
    if (!timer) return;
    clearInterval(timer);
    timer = undefined;
    write();
  };
  return {
    begin: (nextStage, nextTotal, nextLive) => {
      end();
      [stage, total, live] = [nextStage, nextTotal, nextLive];
      [done, startedMs] = [0, performance.now()];
      timer = setInterval(write, plainIntervalMs);
    },
    advance: (count = 1) => void (done += count),
    note: (text) => void output.write(`${text}\n`),
    end,
  };
}
