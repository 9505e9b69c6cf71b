// A small persistent pool: threads take chunks in turn, and spin shortly before they sleep.
//
// OpenBLAS has its own pool, whose workers keep spinning after a call; two pools would fight for the
// cores. OpenBLAS therefore runs on one thread, and matrix products are divided over this pool.
#include "CKernels.h"
#include "team.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

#define MAX_THREADS 256
// About 20 µs: longer than the gap between two kernels of one decoding step, far shorter than a slice.
#define SPINS 4000

#if defined(__x86_64__)
#define PAUSE() __builtin_ia32_pause()
#else
#define PAUSE() ((void)0)
#endif

static pthread_mutex_t owner = PTHREAD_MUTEX_INITIALIZER;  // held by the caller whose job runs
static pthread_mutex_t sleeping = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t posted = PTHREAD_COND_INITIALIZER;
static pthread_cond_t finished = PTHREAD_COND_INITIALIZER;

static atomic_int thread_count = 1;
static int worker_count = 0;  // started so far; guarded by `owner`

static struct {
  void (*work)(void *, int);
  void (*team)(void *, int, int);  // null for a job in chunks
  void *context;
  int chunks;   // or members of the team
} job;
static atomic_int next_chunk;   // of `job` that no thread has taken yet
static atomic_uint generation;  // of `job`
static atomic_int running;      // workers that have not finished the job yet

static atomic_long region_count;  // jobs that were handed to the workers

static _Thread_local bool is_inside = false;
static _Thread_local int current_chunk = -1;
static _Thread_local void *slot = NULL;

void *plumb_thread_slot(void) { return slot; }

void plumb_set_thread_slot(void *pointer) { slot = pointer; }

long plumb_region_count(void) { return atomic_load_explicit(&region_count, memory_order_relaxed); }

int plumb_current_chunk(void) { return current_chunk; }

static void run_share(int thread) {
  if (job.team) {
    if (thread < job.chunks) job.team(job.context, thread, job.chunks);
    return;
  }
  for (;;) {
    int chunk = atomic_fetch_add_explicit(&next_chunk, 1, memory_order_relaxed);
    if (chunk >= job.chunks) break;
    current_chunk = chunk;
    job.work(job.context, chunk);
  }
  current_chunk = -1;
}

static unsigned await_job(unsigned seen) {
  for (int i = 0; i < SPINS; i++) {
    unsigned now = atomic_load_explicit(&generation, memory_order_acquire);
    if (now != seen) return now;
    PAUSE();
  }
  pthread_mutex_lock(&sleeping);
  unsigned now;
  while ((now = atomic_load_explicit(&generation, memory_order_acquire)) == seen)
    pthread_cond_wait(&posted, &sleeping);
  pthread_mutex_unlock(&sleeping);
  return now;
}

struct start {
  int thread;
  unsigned seen;
};
static struct start starts[MAX_THREADS];

static void *worker(void *argument) {
  struct start start = *(struct start *)argument;
  is_inside = true;
  unsigned seen = start.seen;
  for (;;) {
    seen = await_job(seen);
    if (job.team || start.thread < atomic_load(&thread_count)) run_share(start.thread);
    if (atomic_fetch_sub_explicit(&running, 1, memory_order_acq_rel) == 1) {
      pthread_mutex_lock(&sleeping);
      pthread_cond_signal(&finished);
      pthread_mutex_unlock(&sleeping);
    }
  }
  return NULL;
}

void plumb_set_thread_count(int count) {
  if (count < 1) count = 1;
  if (count > MAX_THREADS) count = MAX_THREADS;
  atomic_store(&thread_count, count);
}

int plumb_thread_count(void) { return atomic_load(&thread_count); }

/// Starts missing workers; true when `needed` of them run. Called with `owner` held.
static bool start_workers(int needed) {
  while (worker_count < needed) {
    starts[worker_count] = (struct start){worker_count + 1, atomic_load(&generation)};
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_t thread;
    int failed = pthread_create(&thread, &attributes, worker, &starts[worker_count]);
    pthread_attr_destroy(&attributes);
    if (failed) return false;
    worker_count++;
  }
  return true;
}

/// Runs `job` on this thread and, if there is more than one, on the workers. Called with `owner` held.
static void run_job(int threads) {
  atomic_store_explicit(&next_chunk, 0, memory_order_relaxed);
  if (threads > 1) {
    // Every started worker takes part in the count; those beyond `threads` have an empty share.
    atomic_store_explicit(&running, worker_count, memory_order_relaxed);
    pthread_mutex_lock(&sleeping);
    atomic_fetch_add_explicit(&generation, 1, memory_order_release);
    pthread_cond_broadcast(&posted);
    pthread_mutex_unlock(&sleeping);
  }
  is_inside = true;
  run_share(0);
  is_inside = false;
  if (threads > 1) {
    for (int i = 0; i < SPINS && atomic_load_explicit(&running, memory_order_acquire) != 0; i++)
      PAUSE();
    if (atomic_load_explicit(&running, memory_order_acquire) != 0) {
      pthread_mutex_lock(&sleeping);
      while (atomic_load_explicit(&running, memory_order_acquire) != 0)
        pthread_cond_wait(&finished, &sleeping);
      pthread_mutex_unlock(&sleeping);
    }
  }
}

void plumb_parallel(int chunks, void (*work)(void *, int), void *context) {
  int threads = atomic_load_explicit(&thread_count, memory_order_relaxed);
  bool alone = chunks <= 1 || threads <= 1 || is_inside;
  if (alone || pthread_mutex_trylock(&owner) != 0) {
    for (int chunk = 0; chunk < chunks; chunk++) work(context, chunk);
    return;
  }
  if (!start_workers(threads - 1)) threads = 1;
  atomic_fetch_add_explicit(&region_count, 1, memory_order_relaxed);
  job.work = work;
  job.team = NULL;
  job.context = context;
  job.chunks = chunks;
  run_job(threads);
  pthread_mutex_unlock(&owner);
}

void team_run(void (*work)(void *, int, int), void *context) {
  int threads = atomic_load_explicit(&thread_count, memory_order_relaxed);
  if (threads <= 1 || is_inside || pthread_mutex_trylock(&owner) != 0) {
    work(context, 0, 1);
    return;
  }
  if (!start_workers(threads - 1)) threads = 1;
  atomic_fetch_add_explicit(&region_count, 1, memory_order_relaxed);
  job.team = work;
  job.context = context;
  job.chunks = threads;
  run_job(threads);
  pthread_mutex_unlock(&owner);
}

void team_wait(team_barrier *barrier, int members) {
  if (members == 1) return;
  const unsigned round = atomic_load_explicit(&barrier->round, memory_order_relaxed);
  if (atomic_fetch_add_explicit(&barrier->arrived, 1, memory_order_acq_rel) == members - 1) {
    atomic_store_explicit(&barrier->arrived, 0, memory_order_relaxed);
    atomic_store_explicit(&barrier->round, round + 1, memory_order_release);
    return;
  }
  for (int i = 0; atomic_load_explicit(&barrier->round, memory_order_acquire) == round; i++) {
    // A member that has lost its core to another program needs ours.
    if (i < SPINS)
      PAUSE();
    else
      sched_yield();
  }
}
