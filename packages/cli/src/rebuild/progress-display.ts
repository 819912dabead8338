import type { RebuildProgress } from '@outbound/consumer';
import { Presets, SingleBar } from 'cli-progress';
import type { Output } from '../console/output.ts';
import { progressParts, progressText } from './progress-text.ts';

/** Shows how far a rebuild is, on standard error. */
export interface ProgressDisplay {
  show(progress: RebuildProgress): void;
  /** Leaves the last state to be read. Any number of times. */
  end(): void;
}

const lineEveryMs = 5000;

/** A bar on a terminal; elsewhere a plain line every five seconds, so that a log stays readable. */
export function createProgressDisplay(output: Output): ProgressDisplay {
  return output.canRedraw ? barDisplay() : lineDisplay(output);
}

function barDisplay(): ProgressDisplay {
  const bar = new SingleBar(
    {
      stream: process.stderr,
      format: '{bar} {percentage} % · {parts}',
      hideCursor: true,
      // Ctrl-C is ours: the bar is ended on the way out.
      gracefulExit: false,
      barsize: 30,
    },
    Presets.shades_classic,
  );
  let isStarted = false;
  return {
    show(progress) {
      const parts = progressParts(progress).join(' · ');
      if (!isStarted) bar.start(1000, 0, { parts });
      isStarted = true;
      bar.update(Math.floor(progress.share * 1000), { parts });
    },
    end() {
      if (isStarted) bar.stop();
      isStarted = false;
    },
  };
}

function lineDisplay(output: Output): ProgressDisplay {
  let shownMs = performance.now();
  return {
    show(progress) {
      if (performance.now() - shownMs < lineEveryMs) return;
      shownMs = performance.now();
      output.note(progressText(progress));
    },
    end: () => undefined,
  };
}
