/* src/in_handler/claims.hpp: several dispatchers get one arrival. Each handles it, or leaves and
   gives it up; if none has handled it when the last one does, it goes back to the kernel, once.

   The claims are made by deliver() of src/in_handler/on_signal.cpp, and used by dispose() and run()
   of src/dispatcher_core.cpp. */

#define ARRIVALS 2
#define ENTRIES 1 /* fewer than arrivals: it is used again */
#define DISPATCHERS 2
#define none 0

/* An entry is one word: an arrival's id, and its claims. None: it is settled. */
byte arrival[ENTRIES], claims[ENTRIES];
byte last;

chan queue[DISPATCHERS] = [ARRIVALS] of { byte, byte }; /* which arrival, its id */

byte handled[ARRIVALS], given_back[ARRIVALS];
bool has_no_entry[ARRIVALS];

#define at(id) ((id) % ENTRIES)
#define is_unsettled(id) (arrival[at(id)] == (id) && claims[at(id)] != 0)

inline open(id) {
  tries = 0;
  do
  :: tries == ENTRIES -> id = none; break
  :: else ->
     atomic { last++; id = last; tries++ }
     atomic {
       if
#ifdef TAKES_A_USED_ENTRY
       :: true ->
#else
       :: claims[at(id)] == 0 ->
#endif
          arrival[at(id)] = id; claims[at(id)] = 1; break
       :: else
       fi }
  od
}

inline add(id) {
  atomic {
    if
    :: id != none && is_unsettled(id) -> claims[at(id)]++
    :: else
    fi }
}

inline settle(id) {
  atomic {
    if
    :: id != none && is_unsettled(id) -> claims[at(id)] = 0
    :: else
    fi }
}

/* `back`: it was the last one, and nobody has handled it. */
inline give_up(id, back) {
#ifdef LOOKS_AND_THEN_GIVES_UP
  atomic { back = (id == none || (is_unsettled(id) && claims[at(id)] == 1)) }
#endif
  atomic {
    if
    :: id == none -> back = true
    :: id != none && is_unsettled(id) ->
#ifndef LOOKS_AND_THEN_GIVES_UP
       back = (claims[at(id)] == 1);
#endif
       claims[at(id)]--
    :: else -> back = false
    fi }
}

/* deliver(), on some thread. */
proctype handler(byte which) {
  byte id, d, tries;
  bool back, stored;
  open(id);
  has_no_entry[which] = (id == none);
  do
  :: d == DISPATCHERS -> break
  :: else ->
     add(id);
     if
     :: queue[d]!which, id; stored = true
     :: atomic { stored = true; settle(id); handled[which]++ } /* merged: another stands for it */
     :: give_up(id, back) /* refused: no room */
     fi;
#ifdef ITS_MAKER_GIVES_UP_EARLY
     if
     :: d == 0 && id != none -> give_up(id, back)
     :: else
     fi;
#endif
     d++
  od;
#ifndef ITS_MAKER_GIVES_UP_EARLY
  back = false;
  if
  :: id != none -> give_up(id, back)
  :: else
  fi;
#endif
  if
  :: back || !stored -> given_back[which]++
  :: else
  fi
}

/* Takes what has come, until it leaves; what it has not had then it gives up. */
proctype dispatcher(byte d) {
  byte which, id;
  bool leaves, back;
  do
  :: atomic { queue[d]?which, id }
     if
     :: !leaves ->
#ifndef HANDLES_WITHOUT_TELLING
        settle(id);
#endif
        handled[which]++
     :: else ->
        give_up(id, back);
        if
        :: back -> given_back[which]++
        :: else
        fi
     fi
  :: atomic { !leaves -> leaves = true }
  od
}

proctype audit() {
  byte i;
  timeout;
  for (i : 0 .. ARRIVALS - 1) {
    assert(handled[i] + given_back[i] > 0);
    assert(has_no_entry[i] || given_back[i] == 0 || (given_back[i] == 1 && handled[i] == 0))
  }
  assert(claims[0] == 0)
}

init {
  atomic {
    run dispatcher(0);
    run dispatcher(1);
    run handler(0);
    run handler(1);
    run audit()
  }
}
