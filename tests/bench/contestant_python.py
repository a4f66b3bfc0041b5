#!@BENCH_PYTHON@
"""Tasks on the pools of Python; the questions and answers are those of contestant.h. A mode is a pool: "ThreadPool",
"ThreadPoolExecutor", "Pool", "ProcessPoolExecutor", "loky". Each is asked in a process of its own."""
import concurrent.futures
import ctypes
import importlib
import math
import multiprocessing
import multiprocessing.pool
import os
import signal
import sys
import time

PIECES = 9
WARM = 0.01
SLOW = 0.25
CHECKSUMS = 64
SPOILED = -12345 # what job.c leaves where there is no result
PR_SET_PDEATHSIG = 1
WORKERS = int(os.environ.get("BENCH_THREADS", len(os.sched_getaffinity(0))))


def end_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def nothing():
    pass


def square(x):
    return x * x


def find_loky():
    for name in ("loky", "joblib.externals.loky"):
        try:
            return importlib.import_module(name)
        except ImportError:
            pass
    return None


def open_pool(mode):
    """The pool; None when what it needs is not here."""
    if mode == "ThreadPool":
        return multiprocessing.pool.ThreadPool(WORKERS)
    if mode == "ThreadPoolExecutor":
        return concurrent.futures.ThreadPoolExecutor(WORKERS)
    if mode == "Pool":
        return multiprocessing.Pool(WORKERS, initializer=end_with_parent)
    if mode == "ProcessPoolExecutor":
        return concurrent.futures.ProcessPoolExecutor(WORKERS, initializer=end_with_parent)
    if mode == "loky":
        loky = find_loky()
        if loky is None:
            print(f"bench: loky left out: {sys.executable} lacks it; it is in python3-joblib", file=sys.stderr)
            return None
        return loky.ProcessPoolExecutor(WORKERS, initializer=end_with_parent)
    return None


def quantile(values, part):
    values = sorted(values)
    place = part * (len(values) - 1)
    below = int(place)
    above = min(below + 1, len(values) - 1)
    return values[below] + (place - below) * (values[above] - values[below])


def unit(place, salt):
    """The fill of job.c."""
    mask = (1 << 64) - 1
    x = ((place + 1) * 0x9E3779B97F4A7C15 + salt * 0xD1B54A32D192ED03) & mask
    x ^= x >> 32
    x = x * 0xD6E8FEB86659FD93 & mask
    x ^= x >> 32
    return (x >> 40) * 2.0**-24


class Contestant:
    def __init__(self):
        self.pools = {}
        self.workload, self.items, self.results, self.call_seconds = "", [], [], 0.0

    def find(self, mode):
        """The function that does the workload once, or None."""
        if mode not in self.pools:
            self.pools[mode] = open_pool(mode)
        pool = self.pools[mode]
        if pool is None:
            return None
        is_executor = hasattr(pool, "submit")
        of_threads = mode.startswith("Thread")
        if self.workload == "tasks_one":
            function, arguments = (nothing, ()) if of_threads else (square, (3.0,))
            if is_executor:
                return lambda: pool.submit(function, *arguments).result()
            return lambda: pool.apply_async(function, arguments).get()
        if self.workload == "tasks_map":
            options = {}
            if is_executor and not of_threads: # what Pool chooses by itself
                options["chunksize"] = math.ceil(len(self.items) / (4 * WORKERS))
            return lambda: self.keep(pool.map(square, self.items, **options))
        return None

    def keep(self, results):
        self.results = list(results)

    def prepare(self, workload, n):
        if workload not in ("tasks_one", "tasks_map"):
            return "none"
        self.workload, self.results, self.call_seconds = workload, [], 0.0
        self.items = [unit(k, 0) for k in range(n)] if workload == "tasks_map" else []
        return "ok"

    def free(self):
        self.items, self.results = [], []
        return "ok"

    def check(self, call):
        self.results = []
        self.call_seconds = timed(call, 1)
        if self.workload == "tasks_one":
            return f"ok 1 {SPOILED}"
        n = len(self.results)
        bounds = [n * part // CHECKSUMS for part in range(CHECKSUMS + 1)]
        sums = [sum(self.results[bounds[part] : bounds[part + 1]]) for part in range(CHECKSUMS)]
        return f"ok {CHECKSUMS} " + " ".join(f"{value:.9e}" for value in sums)

    def run(self, call, seconds):
        rate = 1.0 / self.call_seconds if self.call_seconds > SLOW else warm(call, WARM)
        calls = max(1, int(rate * seconds / PIECES))
        pieces, used = [], 0.0
        while len(pieces) < PIECES and (not pieces or used < seconds):
            elapsed = timed(call, calls)
            used += elapsed
            pieces.append(elapsed / calls)
        self.call_seconds = quantile(pieces, 0.5)
        return f"ok {self.call_seconds:.6e}"

    def gaps(self, call, microseconds, calls):
        seconds, used = [], 0.0
        warm(call, 1e-3)
        for _ in range(calls):
            if microseconds > 0:
                before = time.process_time()
                time.sleep(1e-6 * microseconds)
                used += time.process_time() - before
            start = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - start)
        return f"ok {quantile(seconds, 0.5):.6e} {quantile(seconds, 0.99):.6e} 1 {used / calls:.6e}"

    def answer(self, words):
        if words[0] == "prepare" and len(words) == 3:
            return self.prepare(words[1], int(words[2]))
        if words[0] == "free":
            return self.free()
        call = self.find(words[1]) if len(words) > 1 else None
        if call is None:
            return "none"
        if words[0] == "check":
            return self.check(call)
        if words[0] == "run" and len(words) == 3:
            return self.run(call, 1e-3 * float(words[2]))
        if words[0] == "gaps" and len(words) == 4:
            return self.gaps(call, int(words[2]), int(words[3]))
        return "fail bad command"


def timed(call, calls):
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return time.perf_counter() - start


def warm(call, seconds):
    """Calls until the time is used up; returns the calls per second."""
    used, rate, calls = 0.0, 0.0, 1
    while used < seconds:
        elapsed = timed(call, calls)
        used += elapsed
        rate = calls / max(elapsed, 1e-9)
        calls *= 2
    return rate


def main():
    end_with_parent()
    contestant = Contestant()
    for line in sys.stdin:
        print(contestant.answer(line.split()), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
