/* How threads are held back while a queue is crowded, and let go when all have drained:
   hold_back(), release() and wake() of src/in_handler/on_signal.cpp, release_held_threads() and
   dispatch() of src/dispatcher_core.cpp.

   Signals 0 and 1 are queued ones, for dispatcher 0 (the main thread's) and dispatcher 1. Three
   threads take both; the third one has no dispatcher. A queue is a number here: what is in it is
   the business of mailbox.pml, and so are the steps of going to sleep. */

#ifdef TWO_DISPATCHERS
#define THREADS 2
#define DISPATCHERS 2
#else
#define THREADS 3
#define DISPATCHERS 1
#endif
#define CAPACITY 2
#define CROWDED_AT 1
#define DRAINED_AT 1
#define ENTRIES 1 /* of held_threads: too few, so that some cannot hold back */
#ifdef FORK
#define SENT 2 /* to the parent, and again to the child */
#else
#define SENT 3
#endif

/* --- what is shared ------------------------------------------------------------------------- */

byte size[DISPATCHERS];
bool attention[DISPATCHERS];
byte held_threads[ENTRIES]; /* thread + 1; 0: free */
bool any_held;

/* --- of each thread ------------------------------------------------------------------------- */

bool holding[THREADS];
bool mask[THREADS];       /* queued signals are blocked, when no handler runs */
bool blocked[THREADS];    /* all are */
bool in_handler[THREADS]; /* what it interrupts stands still */
bool interrupted[THREADS];
bool asleep[DISPATCHERS];

/* --- the kernel: pending signals ------------------------------------------------------------ */

byte to_process[2];
byte to_thread[THREADS * 2]; /* thread * 2 + signal */
bool bell[THREADS];

byte sent, handled;

#ifdef FORK
bool known = true; /* station.attention: does it name the main thread's word? */
bool forked;       /* we look at the child: thread 0 is its only one */
#define is_here(t) (!forked || t == 0)
#define MAIN_HANDLERS 3 /* _pid: a provided clause may not use parameters */
#else
#define known true
#define is_here(t) true
#endif

/* By the one that will let it go. */
#define is_listed(t) (held_threads[0] == (t) + 1)

/* --- the signal handler --------------------------------------------------------------------- */

inline hold_back() {
  atomic { listed = (holding[t] || is_listed(t) || (t == 0 && known)) }
  do
  :: atomic { listed || i == ENTRIES -> break }
  :: atomic { else ->
       if
       :: held_threads[i] == 0 -> held_threads[i] = t + 1; listed = true
       :: else -> i++
       fi }
  od;
#ifdef HOLDS_BACK_UNLISTED
  listed = true;
#endif
  if
  :: atomic { listed -> mask[t] = true; holding[t] = true }
     any_held = true
  :: else
  fi
}

inline raise_or_ring() {
  if
  :: t == n -> attention[n] = true
  :: else ->
     atomic { raised = attention[n]; attention[n] = true }
     if
     :: !raised -> bell[n] = true
     :: else
     fi
  fi
}

inline wake() {
  if
  :: !known
  :: else -> raise_or_ring()
  fi
}

#define free_for(t) (!in_handler[t] && !blocked[t])
#define has_one(t, n) (to_process[n] > 0 || to_thread[(t) * 2 + n] > 0)

#ifdef FORK
proctype handlers(byte t) provided (!forked || _pid == MAIN_HANDLERS) {
#else
proctype handlers(byte t) {
#endif
  byte n, i;
  bool listed, crowd, stored, raised;
  do
  :: atomic { free_for(t) && bell[t] -> bell[t] = false;
       if /* on_doorbell(), release() */
       :: holding[t] && !is_listed(t) -> mask[t] = false; holding[t] = false
       :: else
       fi;
       if
       :: t < DISPATCHERS -> attention[t] = true; interrupted[t] = true
       :: else
       fi }
  :: atomic { free_for(t) && !mask[t] && (has_one(t, 0) || has_one(t, 1)) ->
       if
       :: to_process[0] > 0 -> n = 0; to_process[0]--
       :: to_process[1] > 0 -> n = 1; to_process[1]--
       :: to_thread[t * 2] > 0 -> n = 0; to_thread[t * 2]--
       :: to_thread[t * 2 + 1] > 0 -> n = 1; to_thread[t * 2 + 1]--
       fi;
       in_handler[t] = true }
     /* deliver() */
     crowd = (size[n] >= CROWDED_AT);
     atomic {
       stored = (size[n] < CAPACITY);
       size[n] = size[n] + stored }
#ifdef WAKES_BEFORE_IT_HOLDS_BACK
     wake();
#endif
     if
     :: crowd || !stored -> hold_back()
     :: else
     fi;
#ifndef WAKES_BEFORE_IT_HOLDS_BACK
     wake();
#endif
     atomic {
       if
#ifndef DROP_ON_FULL
       :: !stored -> to_thread[t * 2 + n]++ /* send_again_to_this_thread() */
#endif
       :: else
       fi;
       n = 0; i = 0; listed = false; crowd = false; stored = false; raised = false;
       interrupted[t] = true; in_handler[t] = false }
  od
}

/* --- the dispatchers ------------------------------------------------------------------------ */

inline release_this_thread() {
  if
  :: holding[d] ->
     blocked[d] = true;
     atomic { mask[d] = false; holding[d] = false; blocked[d] = false }
  :: else
  fi
}

inline release_held_threads() {
  if
  :: !any_held -> goto released
  :: else
  fi;
  if
  :: size[0] >= DRAINED_AT -> goto released
  :: else
  fi;
#ifdef TWO_DISPATCHERS
  if
  :: size[1] >= DRAINED_AT -> goto released
  :: else
  fi;
#endif
#ifndef FLAG_CLEARED_AFTER_THE_ENTRIES
  any_held = false;
#endif
  release_this_thread();
#ifndef MAIN_THREAD_FORGOTTEN
  if
  :: d != 0 -> bell[0] = true
  :: else
  fi;
#endif
  i = 0;
  do
  :: i == ENTRIES -> break
  :: else ->
     atomic { held = held_threads[i]; held_threads[i] = 0 }
     if
     :: held != 0 -> bell[held - 1] = true
     :: else
     fi;
     i++
  od;
#ifdef FLAG_CLEARED_AFTER_THE_ENTRIES
  any_held = false;
#endif
  atomic { i = 0; held = 0 }
released: skip
}

proctype dispatcher(byte d) provided (!in_handler[_pid - 1]) {
  byte left, i, held;
  do
  :: attention[d] ->
     attention[d] = false;
     left = size[d];
     do
     :: left == 0 -> break
     :: else ->
        left--;
        release_held_threads();
        if
        :: size[d] == 0 -> break
        :: else
        fi;
        atomic { size[d]--; handled++ }
     od;
     left = 0;
#ifndef RELEASES_ONLY_BEFORE_RECORDS
     release_held_threads();
#endif
     if
     :: size[d] > 0 -> attention[d] = true
     :: else
     fi
#ifdef FORK
  :: atomic { !forked -> forked = true; sent = 0; handled = 0;
       /* No signal is pending in the child. */
       to_process[0] = 0;
       for (i : 0 .. THREADS - 1) {
         to_thread[i * 2] = 0; bell[i] = false
       }
       /* The kernel wipes the pages; what belongs to the thread stays. */
       size[0] = 0; any_held = false; held_threads[0] = 0; known = false; i = 0 }
     /* after_fork_in_child() */
#ifndef THE_CHILD_STAYS_HELD
     release_this_thread();
#endif
     known = true;
     attention[0] = true
#endif
  :: atomic { !attention[d] -> interrupted[d] = false; asleep[d] = true }
     atomic { interrupted[d] -> asleep[d] = false }
  od
}

/* --- who sends, and who looks at the end ---------------------------------------------------- */

proctype sender() {
  do
  :: atomic { sent < SENT -> to_process[0]++; sent++ }
#ifdef TWO_DISPATCHERS
  :: atomic { sent < SENT -> to_process[1]++; sent++ }
#endif
  od
}

/* When nothing can go on any more. */
proctype audit() {
  byte t;
  timeout;
  assert(sent == SENT && handled == SENT);
  for (t : 0 .. DISPATCHERS - 1) {
    assert(size[t] == 0 && asleep[t])
  }
  for (t : 0 .. THREADS - 1) {
    assert(!is_here(t) || (!in_handler[t] && !bell[t] && !mask[t] && !holding[t]))
  }
}

init {
  atomic {
    run dispatcher(0); /* _pid: thread + 1 */
#ifdef TWO_DISPATCHERS
    run dispatcher(1);
#else
    run handlers(2);
#endif
    run handlers(0);
    run handlers(1);
    run sender();
    run audit()
  }
}
