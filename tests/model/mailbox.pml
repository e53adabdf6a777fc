/* The queue of src/in_handler/mailbox.hpp, and how its reader sleeps and is woken.

   Threads: 0 reads, and handlers interrupt it; 1 and 2 run handlers only. One statement is one
   atomic access to what is shared, with what follows from it in private. */

#define CAPACITY 2
#define CROWDED_AT 1

#define A 0 /* a standard signal */
#define Q 1 /* one that the kernel queues */

/* The arrivals, by number: 1 to 5; 0 is none. */
#define SIGNAL(id) ((id) % 2 == 0 -> Q : A)
#define ARRIVALS 5

/* --- what is shared ------------------------------------------------------------------------- */

byte head, tail, any_merged, pending[2], merged[2];
byte turn[CAPACITY], what[CAPACITY];
bool known;     /* station.attention: does it name the reader's word yet? */
bool attention; /* that word */

/* --- the kernel ----------------------------------------------------------------------------- */

bool blocked;    /* thread 0 blocks its signals */
bool in_handler; /* thread 0 is in a signal handler: what that interrupts stands still */
bool bell;       /* thread 0 has a ring pending */
bool interrupted;

/* --- what has come of it -------------------------------------------------------------------- */

byte arrived[2], stood_for[2], handled[ARRIVALS + 1];
bool asleep;

#define full(ticket) (2 * ((ticket) / CAPACITY) + 1)
#define at(ticket) ((ticket) % CAPACITY)

/* --- post(), in handlers -------------------------------------------------------------------- */

inline store(id, stored) {
  ticket = tail;
  do
  :: atomic { seen = turn[at(ticket)];
       if
       :: seen == full(ticket) - 1 -> skip
       :: else -> goto other_lap
       fi }
     atomic { if
       :: tail == ticket -> tail = ticket + 1
       :: else -> ticket = tail; goto again
       fi }
     pending[SIGNAL(id)]++;
#ifdef PUBLISHED_BEFORE_WRITTEN
     turn[at(ticket)] = full(ticket);
     what[at(ticket)] = id;
#else
     what[at(ticket)] = id;
     turn[at(ticket)] = full(ticket);
#endif
     stored = true; break;
other_lap:
     atomic { if
       :: tail == ticket -> stored = false; break
       :: else -> ticket = tail
       fi }
again: skip
  od
}

/* `refused`: only a queued signal. It goes back to the kernel: see hold_back.pml. */
inline post(id, refused) {
  atomic { refused = false; ticket = head }
  atomic { crowd = (tail > ticket && tail - ticket >= CROWDED_AT); ticket = 0 }
  atomic { if
    :: SIGNAL(id) == Q || !crowd -> alone = true
    :: else -> alone = (pending[SIGNAL(id)] == 0)
    fi; done = false }
  if
  :: alone -> store(id, done)
  :: else
  fi;
  if
  :: done
  :: !done && SIGNAL(id) == Q -> refused = true
  :: else ->
#ifdef FLAG_BEFORE_COUNT
     any_merged = 1;
     merged[SIGNAL(id)]++
#else
     merged[SIGNAL(id)]++;
     any_merged = 1
#endif
  fi;
  atomic { ticket = 0; seen = 0; crowd = false; alone = false; done = false }
}

/* --- wake(), in handlers -------------------------------------------------------------------- */

/* By a thread other than the reader's. Not known: set_thread_here() comes later, and looks. */
inline wake() {
  if
  :: atomic { !known -> skip }
  :: atomic { known -> skip };
#ifdef RINGS_BY_LOAD
     /* a look, and then a store: not one step */
     alone = attention; attention = 1;
#else
     atomic { alone = attention; attention = 1 }
#endif
#ifndef NOBODY_RINGS
     if
     :: !alone -> bell = true
     :: else
     fi;
#endif
     alone = false
  fi
}

#define LOCALS byte ticket, seen; bool crowd, alone, done, refused

/* One arrival after the other, each of which another thread takes. */
proctype other_thread(byte first, second) {
  LOCALS;
  byte id = first;
  atomic { arrived[SIGNAL(first)]++;
    if
    :: second != 0 -> arrived[SIGNAL(second)]++
    :: else
    fi }
one_more:
  post(id, refused);
  wake();
  if
  :: refused -> (tail - head < CAPACITY); goto one_more
  :: else
  fi;
  if
  :: id == first && second != 0 -> id = second; goto one_more
  :: else
  fi
}

/* The reader's own thread takes one: at any instant at which it does not block signals. */
proctype own_thread(byte id) {
  LOCALS;
  atomic { arrived[SIGNAL(id)]++; !blocked && !in_handler -> in_handler = true }
  post(id, refused);
  attention = 1;
  assert(!refused);
  atomic { interrupted = true; in_handler = false }
}

proctype doorbell() {
  do
  :: atomic { bell && !blocked && !in_handler -> in_handler = true; bell = false }
     attention = 1;
     atomic { interrupted = true; in_handler = false }
  od
}

/* --- the reader ----------------------------------------------------------------------------- */

inline count_one(n, id, more) {
  atomic {
    stood_for[n] = stood_for[n] + 1 + more;
    assert(stood_for[n] <= arrived[n]);
    if
    :: id != 0 -> handled[id]++; assert(handled[id] == 1)
    :: else
    fi }
}

inline count_backlog() {
  atomic { ticket = head }
  atomic { left = (tail > ticket -> tail - ticket : 0); ticket = 0 }
  atomic { left = left + (any_merged -> 2 : 0) }
}

proctype reader() provided (!in_handler) {
  byte ticket, left, id, n, count;
  /* set_thread_here() */
#ifdef LOOKS_BEFORE_IT_IS_KNOWN
  attention = 1;
  goto first_look;
known_now:
#endif
  known = true;
#ifndef LOOKS_BEFORE_IT_IS_KNOWN
  attention = 1;
#endif
  do
  :: /* check(), dispatch() */
     atomic { if
       :: attention -> skip
       :: else -> goto wait
       fi }
first_look:
#ifndef LOWERED_AFTER_THE_LOOK
     attention = 0;
#endif
     count_backlog();
     do
     :: left == 0 -> break
     :: else ->
        left--;
        /* peek() */
        ticket = head;
        atomic { if
          :: turn[at(ticket)] == full(ticket) -> goto found
          :: else
          fi }
        atomic { if
          :: tail == ticket -> skip
          :: else -> goto wait_for_writer
          fi }
        /* peek_merged() */
        atomic { if
          :: any_merged == 0 -> goto nothing
          :: else
          fi }
#ifndef CLEARED_AFTER_THE_SCAN
        any_merged = 0;
#endif
        n = 0;
        do
        :: n == 2 ->
#ifdef CLEARED_AFTER_THE_SCAN
           any_merged = 0;
#endif
           goto nothing
        :: else ->
           atomic { if
             :: merged[n] != 0 -> break
             :: else -> n++
             fi }
        od;
        any_merged = 1;
        atomic { count = merged[n]; merged[n] = 0 }
        count_one(n, 0, count - 1);
        goto next;
wait_for_writer:
        (turn[at(ticket)] == full(ticket));
found:
        id = what[at(ticket)];
        /* take() */
        turn[at(ticket)] = full(ticket) + 1;
        head = ticket + 1;
        pending[SIGNAL(id)]--;
        atomic { count = merged[SIGNAL(id)]; merged[SIGNAL(id)] = 0 }
        count_one(SIGNAL(id), id, count);
next:   atomic { id = 0; n = 0; count = 0; ticket = 0 }
     od;
     count_backlog();
     if
     :: left != 0 -> attention = 1
     :: else
#ifdef LOWERED_AFTER_THE_LOOK
        -> attention = 0
#endif
     fi;
nothing:
     atomic { left = 0; id = 0; n = 0; count = 0; ticket = 0 }
#ifdef LOOKS_BEFORE_IT_IS_KNOWN
     if
     :: !known -> goto known_now
     :: else
     fi;
#endif
wait: /* wait_for_attention() */
#ifndef CHECK_THEN_BLOCK
     blocked = true;
#endif
     if
     :: atomic { attention -> skip }
     :: atomic { !attention -> skip };
        /* ppoll: lets the signals in and sleeps, in one step */
        atomic { interrupted = false; blocked = false; asleep = true }
        atomic { interrupted -> asleep = false }
     fi;
     blocked = false
  od
}

/* When nothing can go on any more: the reader sleeps, and nothing wakes it. */
proctype audit() {
  byte i;
  timeout;
  assert(asleep && !in_handler && !bell);
  assert(stood_for[A] == arrived[A]);
  assert(stood_for[Q] == arrived[Q]);
  assert(head == tail && pending[A] == 0 && pending[Q] == 0)
}

init {
  atomic {
    run reader();
    run doorbell();
#if defined OWN
    run own_thread(1);
    run other_thread(2, 0);
    run other_thread(3, 0);
#elif defined MERGES
    run other_thread(1, 3);
    run other_thread(5, 0);
#else
    run other_thread(1, 2);
    run other_thread(3, 0);
#endif
    run audit()
  }
}
