"""Print how well the language model follows its cues with and without the adapter, and how quick it is.

    python scripts/evaluate_lyrics_model.py DATA                      # likelihood and sampled lines, held-out verse
    python scripts/evaluate_lyrics_model.py DATA --speed              # tokens per second by precision and batch

DATA is the folder that `songwright train lyrics` was given; only verse that it held out is used. Needs the extras
`lm` and `train`.
"""

import argparse
import resource
import time
from pathlib import Path

import torch

from lyrics.evaluate_lm import follow, generate_speed, speed
from lyrics.lm import load_model
from lyrics.model_store import DEFAULT_MODEL
from lyrics.train_lyrics import NUM_POEMS, make_lessons


def main() -> None:
    """Read options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--adapter", type=Path, help="another adapter than the shipped one")
    parser.add_argument("--lessons", type=int, default=16, help="held-out lessons to score")
    parser.add_argument("--cues", type=int, default=40, help="lines to sample, four times each")
    parser.add_argument("--precision", help="float32, bfloat16 or int8")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.speed:
        measure_speed(options.model)
        return
    tokenizer = load_model(options.model, adapter=False).tokenizer
    lessons, _ = make_lessons(options.data, tokenizer, seed=0, num_poems=NUM_POEMS)
    lessons = tuple(lesson for lesson in lessons if lesson.held_out)[: options.lessons]
    print(f"{len(lessons)} held-out lessons, {sum(len(lesson.lines) for lesson in lessons)} lines")
    print("              nats/token   exact  +-1    end word  both")
    for name, adapter in (("base", False), ("with adapter", options.adapter or True)):
        model = load_model(options.model, adapter=adapter, precision=options.precision)
        found = follow(model, lessons, num_cues=options.cues)
        shares = (found.exact, found.within_one, found.end_word, found.both)
        print(f"{name:14}{found.loss:9.3f}   " + "  ".join(f"{share:6.1%}" for share in shares))
    print(f"{found.num_tokens} tokens scored, {found.num_sampled} lines sampled at temperature 0.8")


def measure_speed(name: str) -> None:
    """Print a table of precisions and batch sizes, with transformers' `generate` beside it."""
    print("                    candidates of a line         generate of transformers")
    print("precision   batch   tokens/s   processor ms/token   tokens/s   processor ms/token")
    for precision in ("float32", "bfloat16", "int8"):
        begin, processor = time.perf_counter(), time.process_time()
        model = load_model(name, precision=precision, adapter=False)
        loaded = time.perf_counter() - begin, time.process_time() - processor
        for batch in (1, 16, 48):
            row = f"{precision:10}{batch:7}"
            for measure in (speed, generate_speed) if precision != "int8" else (speed,):
                found = measure(model, batch=batch)
                row += f"{found.tokens_per_second:11.0f}{1000 * found.processor_seconds:15.1f}      "
            print(row.rstrip(), flush=True)
        print(
            f"{precision:10} loaded in {loaded[0]:.1f} s ({loaded[1]:.1f} s of processor time), imports included once"
        )
    print(f"largest memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


if __name__ == "__main__":
    main()
