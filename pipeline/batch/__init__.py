"""A data set of lyrics in, a library of songs out: resumable, exact, on one machine or many.

    from pipeline.batch.inputs import open_source
    from pipeline.batch.job import Job
    from pipeline.batch.run import run_batch

    run_batch(open_source("lyrics.jsonl"), "out", Job())

Rows are numbered in the order of the input and cut into shards of equal size. A shard is made by one worker, from its
rows and the job's settings alone, and is done once its record stands in `shards/`: so the output does not depend on
how many workers there are, in which order they finish, or how often they were stopped.

`inputs` reads rows, `rows` composes one, `shards` a shard of them; `local` and `on_ray` are the engines that hand out
shards; `store` is where files go; `report` sums up; `run` puts it together.
"""
