/* The lock of `agtool migrate-once`, for Spin: README.md says how to read and run it.
 *
 * A few invocations on one database. Each has a process agtool, a keeper, a command with a process
 * below it, a session on the server that has the lock, and a session of the command that works
 * there. The server, the network and whoever kills do as they please, FAULTS times. Time passes in
 * whole units, and only when nothing is due: who must act within a time has acted.
 *
 * Where a name stands in the code too, it means the same: NOTICE, GRACE, MARGIN and time_to_die
 * (DIE) in model.py. There they are 6, 10, 5 and 21 seconds; what matters is their order:
 * NOTICE + GRACE < NOTICE + GIVE_UP < DIE.
 */
#ifndef RUNS
#define RUNS 3
#endif
#ifndef FAULTS
#define FAULTS 2
#endif
#ifdef ATTEMPTS
#define fail(n)   failures = failures + n
#define exhausted (failures >= ATTEMPTS)
#else
#define fail(n)   skip
#define exhausted 0
#endif

#define NOTICE  1
#define GRACE   1
#define GIVE_UP 2                   /* GRACE + MARGIN / 2: the keeper itself does not answer */
#ifndef DIE
#define DIE     4                   /* NOTICE + GRACE + MARGIN */
#endif

#if defined(MYSQL) || defined(MYSQL_EMPTY)
#define GET_LOCK 1                  /* a session has the lock, not a transaction */
#else
#define GET_LOCK 0
#endif
#ifdef SQLITE
#define SERVER 0                    /* a file has the lock, and nothing runs elsewhere */
#else
#define SERVER 1
#endif

/* -- processes ------------------------------------------------------------------------------- */

bit agtool[RUNS] = 1;
bit keeper[RUNS], command[RUNS], below[RUNS];
bit killed[RUNS];                   /* agtool, by SIGKILL */
bit stopped[RUNS], frozen[RUNS];    /* agtool, the keeper: by SIGSTOP */
bit told[RUNS];                     /* agtool got SIGTERM */
bit order[RUNS];                    /* agtool has told the keeper to end the command */
bit ending[RUNS];                   /* the command has got SIGTERM */
bit beats[RUNS];                    /* agtool proves the lock again and again */
bit waits[RUNS];                    /* a holder waits for an earlier command to be dead */

/* -- the server ------------------------------------------------------------------------------ */

bit silent[RUNS];                   /* packets between them and the server are lost */
bit session[RUNS];                  /* what takes and has the lock */
bit held[RUNS];
bit work[RUNS];                     /* the command's session: it works, or may do so */
mtype = { NONE, BEGUN, ENDED, DONE };
mtype record[RUNS] = NONE;          /* its row in the runs table */
byte name[RUNS];                    /* counts its names: it takes a new one when it has lost the lock */
byte failures;
#ifdef MYSQL_EMPTY
byte aborted;                       /* MySQL's count of sessions that did not end in order */
#endif

/* -- clocks: units since ... ------------------------------------------------------------------ */

byte unproven[RUNS];                /* the lock was last proven to be held */
byte dying[RUNS];                   /* the command got SIGTERM */
byte ordered[RUNS];                 /* agtool gave the order */
byte watch[RUNS];                   /* a holder began to wait for an earlier command */

/* -- what is true, and nobody knows ------------------------------------------------------------ */

bit signalled[RUNS];                /* a signal was passed on to the command */
bit torn[RUNS];                     /* the command did not start, or did not end by itself */
bit lost[RUNS];                     /* the lock was not held at some time since its start */
bit marked;                         /* the key was done */

byte budget = FAULTS;
mtype = { AGTOOL, KEEPER };
mtype struck[RUNS];                 /* see may_strike */

/* -- events, by their names in agtool/migrate_once/trace.py ------------------------------------- */

/* TRACE: only what a trace of real runs has may happen, in an order that its times allow. Whether
 * all of it can is what is asked then. can_, skippable and all_seen are made from the trace. */
#ifdef TRACE
byte seen_of[RUNS];                 /* how many events of each trace have happened */
#include "trace.pml"
#define can(event, i) can_##event(i)
#define did(event, i) seen_of[i]++
#define told_of(what, i) skip
#else
#define told_of(what, i) did(what, i)
#define can(event, i) true
#define did(event, i) printf("@%d ", i); printf(#event); printf("\n")
#endif

/* -- what follows from that --------------------------------------------------------------------- */

#define alive(i)    (command[i] || below[i])
#define anyone(i)   (agtool[i] || keeper[i] || alive(i))  /* has the descriptor of the session */
#define busy(i)     work[i]
#define at_work(i)  (alive(i) || work[i])
#define holds(i)    (session[i] && held[i] && !silent[i])
#define enforces(i) (keeper[i] && !frozen[i])
#define acts(i)     (agtool[i] && !stopped[i])

#if RUNS == 2
#define some(f)     (f(0) || f(1))
#define number(f)   (f(0) + f(1))
#else
#define some(f)     (f(0) || f(1) || f(2))
#define number(f)   (f(0) + f(1) + f(2))
#endif
#define locked(i)   held[i]
#define begun(i)    (record[i] == BEGUN)
#define is_done(i)  (record[i] == DONE)
#define done        some(is_done)

/* A session ends, and with it the lock. */
inline close(i) {
  lost[i] = lost[i] || (held[i] && alive(i));
  session[i] = 0; held[i] = 0
}
/* The same, not in order: MySQL counts it, before the lock is free. */
#ifdef MYSQL_EMPTY
inline abort(i) { aborted++; close(i) }
#else
inline abort(i) { close(i) }
#endif

/* Nobody reads these any more, and they would only multiply the states. */
inline forget(i) {
  order[i] = 0; ordered[i] = 0; unproven[i] = 0; ending[i] = 0; dying[i] = 0;
  torn[i] = 0; signalled[i] = 0; lost[i] = 0; struck[i] = 0
}

#ifdef SAME_NAME
#define rename(i) skip
#else
#define rename(i) name[i]++
#endif

/* Any invocation may be the first one to get the lock. All are alike, so it is number 0. */
bit first[RUNS];
#ifdef TRACE
#define in_turn true
#else
#define in_turn (_pid == 0 || first[_pid - (_pid > 0)] || !agtool[_pid - (_pid > 0)])
#endif

/* -- one invocation ---------------------------------------------------------------------------- */

active [RUNS] proctype Agtool() provided (!stopped[_pid]) {
  byte j;
#ifdef MYSQL_EMPTY
  byte seen = 99;                   /* MySQL's count while the lock was held; 99: never seen so */
#endif
  bit doubt;                        /* whether an earlier command may be alive, */
  byte dead[RUNS];                  /* and whose: their names and one; 0: not theirs */
  {
    skip;
look:                                                   /* acquire.py: Acquisition.run */
    if
    :: atomic { told[_pid] || silent[_pid] -> goto over }
    :: atomic { !silent[_pid] && (done || exhausted) && can(FOUND, _pid) ->
         did(FOUND, _pid); goto over }
    :: !silent[_pid] && !done && !exhausted
    fi;

try:                                                    /* Backend.attempt, again and again */
    if
    :: atomic { !silent[_pid] && !some(locked) && in_turn && can(LOCKED, _pid) ->
         did(LOCKED, _pid);
         session[_pid] = 1; held[_pid] = 1; first[_pid] = 1 }
#ifdef MYSQL_EMPTY
    :: atomic { !silent[_pid] && some(locked) && seen != aborted -> seen = aborted; goto try }
#endif
    :: atomic { told[_pid] || silent[_pid] -> goto over }
    fi;
    if
    :: atomic { silent[_pid] -> goto over }
    :: atomic { !silent[_pid] && !held[_pid] -> close(_pid); goto look }
#ifndef NO_SECOND_LOOK
    :: atomic { holds(_pid) && (done || exhausted) && can(FOUND, _pid) ->
         did(FOUND, _pid); close(_pid); goto over }
    :: holds(_pid) && !done && !exhausted
#else
    :: holds(_pid)
#endif
    fi;

#ifndef NO_PATIENCE                                     /* acquire.py: _take_over */
    atomic {
#ifdef MYSQL_EMPTY
      doubt = aborted != 0 && aborted != seen;
#else
      doubt = some(begun);
#endif
      waits[_pid] = doubt; watch[_pid] = 0
    };
    do
    :: atomic { holds(_pid) && (!doubt || watch[_pid] >= DIE) ->
         waits[_pid] = 0;
         do
         :: j < RUNS -> dead[j] = (begun(j) -> name[j] + 1 : 0); j++
         :: j == RUNS -> j = 0; break
         od;
         break }
#ifndef MYSQL_EMPTY
    :: atomic { holds(_pid) && doubt && !some(begun) -> doubt = 0 }
#endif
    :: atomic { !silent[_pid] && !held[_pid] -> close(_pid); waits[_pid] = 0; goto look }
    :: atomic { silent[_pid] -> waits[_pid] = 0; goto over }
#ifdef ORDERLY_RETREAT
    :: atomic { told[_pid] && holds(_pid) -> close(_pid); goto over }
#else
    :: atomic { told[_pid] -> goto over }               /* the server sees that the client is gone */
#endif
    od;
#endif

#ifdef MYSQL_EMPTY                                      /* nobody knows which are a command's: */
    if                                                  /* all are waited for */
    :: holds(_pid) && !(doubt && some(busy))
    :: atomic { !silent[_pid] && !held[_pid] -> close(_pid); goto look }
    :: atomic { silent[_pid] -> goto over }
    fi;
#else
    do
    :: atomic { j < RUNS && dead[j] == 0 && holds(_pid) -> j++ }
    :: atomic { j < RUNS && dead[j] != 0 && holds(_pid) && can(REAPED, _pid) ->
         did(REAPED, _pid);
#ifndef NO_STOPPING
         work[j] = 0;                                   /* first its statements are stopped, */
#endif
         if                                             /* then its end is recorded */
         :: begun(j) && dead[j] == name[j] + 1 -> record[j] = ENDED; fail(1)
         :: else
         fi;
         dead[j] = 0; j++ }
    :: atomic { j < RUNS && !silent[_pid] && !held[_pid] -> close(_pid); j = 0; goto look }
    :: atomic { j < RUNS && silent[_pid] -> goto over }
    :: atomic { j == RUNS -> j = 0; break }
    od;
    if
    :: atomic { holds(_pid) && exhausted -> close(_pid); goto over }
    :: atomic { silent[_pid] -> goto over }
    :: atomic { !silent[_pid] && !held[_pid] -> close(_pid); goto look }
    :: atomic { (holds(_pid) || (GET_LOCK && !silent[_pid])) && !exhausted && can(STARTED, _pid) ->
         did(STARTED, _pid);                            /* on MySQL by a session of its own */
#ifndef NO_START
         record[_pid] = BEGUN                           /* Backend.record_start */
#endif
       }
    fi;
#endif

    if                                                  /* Lock.check: the proof comes after it */
    :: atomic { holds(_pid) && can(PROVEN, _pid) ->
         did(PROVEN, _pid); unproven[_pid] = 0; torn[_pid] = 1; order[_pid] = 0; ending[_pid] = 0; lost[_pid] = 0;
         keeper[_pid] = 1; beats[_pid] = 1 }
    :: atomic { silent[_pid] -> goto over }             /* a successor waits, for nothing */
    :: atomic { !silent[_pid] && (!held[_pid] || told[_pid]) && can(ENDED, _pid) ->
         did(ENDED, _pid);
         if :: record[_pid] == BEGUN -> record[_pid] = ENDED :: else fi;
         close(_pid);
         if :: told[_pid] -> goto over :: else -> rename(_pid); goto look fi }
    fi;

    do                                                  /* supervise.py: _Work.watch */
    :: atomic { keeper[_pid] && !holds(_pid) && !order[_pid] -> order[_pid] = 1; ordered[_pid] = 0 }
    :: atomic { keeper[_pid] && told[_pid] && !signalled[_pid] -> signalled[_pid] = 1 }
    :: atomic { keeper[_pid] && order[_pid] && ordered[_pid] >= GIVE_UP ->
         keeper[_pid] = 0; command[_pid] = 0 }          /* the kernel ends the command with it */
    :: atomic { !keeper[_pid] && alive(_pid) -> command[_pid] = 0; below[_pid] = 0; torn[_pid] = 1 }
    :: atomic { !keeper[_pid] && !alive(_pid) && can(OVER, _pid) ->
         did(OVER, _pid); beats[_pid] = 0; break }
    od;

    if                                                  /* _Work.conclude */
    :: atomic { holds(_pid) && !order[_pid] -> work[_pid] = 0 }
    :: atomic { order[_pid] -> goto without_lock }
#ifdef NO_FENCE
    :: atomic { !holds(_pid) && !silent[_pid] && !order[_pid] -> work[_pid] = 0 }
    :: atomic { silent[_pid] -> goto without_lock }
#else
    :: atomic { !holds(_pid) -> goto without_lock }
#endif
    fi;
    if                                                  /* Lock.finish */
#ifdef NO_FENCE
    :: atomic { silent[_pid] -> goto without_lock }
    :: atomic { !silent[_pid] && (can(DONE, _pid) || can(ENDED, _pid)) ->
#else
    :: atomic { !holds(_pid) -> goto without_lock }
    :: atomic { holds(_pid) && (can(DONE, _pid) || can(ENDED, _pid)) ->
#endif
         if
         :: !signalled[_pid] && !torn[_pid] && can(DONE, _pid) ->
              did(DONE, _pid);                          /* the command exited with 0; or else */
              assert(held[_pid] && !lost[_pid]);        /* the run has earned it */
              record[_pid] = DONE; marked = 1
         :: can(ENDED, _pid) -> did(ENDED, _pid); record[_pid] = ENDED; fail(!signalled[_pid])
         fi;
         if
         :: GET_LOCK                                    /* its release is a second step */
         :: !GET_LOCK -> close(_pid)
         fi }
    fi;
    if
    :: atomic { GET_LOCK && !silent[_pid] -> close(_pid); goto over }
    :: atomic { GET_LOCK && silent[_pid] -> goto over } /* nothing makes the record untrue */
    :: atomic { !GET_LOCK && !silent[_pid] -> goto over }
    :: !GET_LOCK && silent[_pid]                        /* the answer is lost: was it recorded? */
    fi;

without_lock:                                           /* _end_without_lock, within seconds */
    if
    :: atomic { !silent[_pid] && can(ENDED, _pid) ->
         did(ENDED, _pid); work[_pid] = 0;
         if
#ifdef UNGUARDED_END
         :: record[_pid] != NONE -> record[_pid] = ENDED
#endif
         :: record[_pid] == BEGUN -> record[_pid] = ENDED; fail(!signalled[_pid])
         :: else
         fi;
         close(_pid) }
    :: silent[_pid]                                     /* it gives up, and a successor waits */
    fi;
over:
    skip
  } unless { killed[_pid] };                            /* SIGKILL */
  atomic {                                              /* what is no more is forgotten */
    agtool[_pid] = 0; beats[_pid] = 0; waits[_pid] = 0; watch[_pid] = 0; told[_pid] = 0;
    doubt = 0; j = 0;
    do :: j < RUNS -> dead[j] = 0; j++ :: else -> j = 0; break od;
#ifdef MYSQL_EMPTY
    seen = 0;
#endif
    if :: !keeper[_pid] -> forget(_pid) :: else fi }
}

/* -- the keeper, and the command ----------------------------------------------------------------- */

#define my (_pid - RUNS)

active [RUNS] proctype Keeper() provided (!frozen[_pid - RUNS]) {   /* core/process/keeper.py */
end:
  do
  :: atomic { keeper[my] && unproven[my] <= NOTICE && agtool[my] && can(COMMAND, my) ->
       did(COMMAND, my); command[my] = 1; below[my] = 0; torn[my] = 0;
       if :: SERVER -> work[my] = 1 :: work[my] = 0 fi;
       assert(number(at_work) <= 1);                    /* no two commands overlap */
       assert(!marked);                                 /* and none runs for a key that is done */
       assert(!exhausted) };
     do
#ifndef NO_KEEPER
     :: atomic { keeper[my] && alive(my) && !agtool[my] -> command[my] = 0; below[my] = 0 }
     :: atomic { keeper[my] && alive(my) && !ending[my] && unproven[my] >= NOTICE ->
          ending[my] = 1; dying[my] = 0 }
#endif
     :: atomic { keeper[my] && alive(my) && !ending[my] && order[my] ->
          ending[my] = 1; dying[my] = 0 }
     :: atomic { keeper[my] && alive(my) && ending[my] && dying[my] >= GRACE ->
          command[my] = 0; below[my] = 0; torn[my] = 1 }
     :: atomic { keeper[my] && !alive(my) && agtool[my] -> keeper[my] = 0; break }
     :: atomic { keeper[my] && !alive(my) && !agtool[my] -> /* supervise.py: _record_orphaned */
          if
          :: !silent[my] && can(ENDED, my) -> did(ENDED, my); work[my] = 0;
               if :: begun(my) -> record[my] = ENDED; fail(1) :: else fi
          :: silent[my]
          fi;
          keeper[my] = 0; forget(my); break }
     :: atomic { !keeper[my] -> break }
     od
  :: atomic { keeper[my] && (unproven[my] > NOTICE || !agtool[my]) ->
       keeper[my] = 0; order[my] = agtool[my] }         /* it is too late to start a command */
  od
}

#undef my
#define my (_pid - 2 * RUNS)

active [RUNS] proctype Command() {
end:
  do
  :: atomic { command[my] -> command[my] = 0 }          /* it exits */
  :: atomic { below[my] && !command[my] -> below[my] = 0 }
  :: atomic { work[my] -> work[my] = 0 }                /* its statement ends, its session closes */
  od
}

/* -- a trace --------------------------------------------------------------------------------------- */

#ifdef TRACE
active proctype Trace() {
end:
  do
  :: atomic { all_seen -> assert(!all_seen) }           /* found: the model can do all of it */
  :: atomic { skippable(0) -> seen_of[0]++ }
  :: atomic { skippable(1) -> seen_of[1]++ }
#if RUNS > 2
  :: atomic { skippable(2) -> seen_of[2]++ }
#endif
  od
}
#endif

/* -- the server, the faults and the time ----------------------------------------------------------- */

/* The server ends a session when its client is gone, and at any time when it hears nothing: of a
 * client beyond a silent network; in MySQL, of an agtool that is dead or stopped. */
#define is_over(i)  (session[i] && (!anyone(i) || silent[i] || (GET_LOCK && !acts(i))))

active proctype Server() {
end:
  do
  :: atomic { is_over(0) -> abort(0) }
  :: atomic { is_over(1) -> abort(1) }
#if RUNS > 2
  :: atomic { is_over(2) -> abort(2) }
#endif
  od
}

/* A limit. MySQL frees the lock of an agtool that is stopped or dead, although its command still has
 * the descriptor. So there agtool and its keeper may not both be hit, be it one after the other.
 * PostgreSQL keeps it, and only both of them stopped at once are too much. */
#define may_strike(i, what) (!GET_LOCK || struck[i] == 0 || struck[i] == what)
#define strike(i, what)     struck[i] = (GET_LOCK -> what : 0)

inline restart(i) {
  if :: session[i] -> abort(i) :: else fi;
  work[i] = 0
}

active proctype Faults() {
  byte i;
end:
  do
  :: atomic { budget > 0 -> budget--;
       if :: i = 0 :: i = 1
#if RUNS > 2
          :: i = 2
#endif
       fi;
       if
       :: agtool[i] && may_strike(i, AGTOOL) ->
            told_of(SIGKILL of agtool, i); strike(i, AGTOOL); agtool[i] = 0; killed[i] = 1; stopped[i] = 0
       :: agtool[i] -> told_of(SIGTERM to agtool, i); told[i] = 1
       :: acts(i) && !(keeper[i] && frozen[i]) && may_strike(i, AGTOOL) ->
            told_of(SIGSTOP of agtool, i); strike(i, AGTOOL); stopped[i] = 1
       :: keeper[i] && may_strike(i, KEEPER) ->         /* the kernel ends the command with it */
            told_of(SIGKILL of the keeper, i); strike(i, KEEPER); keeper[i] = 0; frozen[i] = 0; order[i] = agtool[i];
            if :: command[i] -> command[i] = 0; if :: below[i] = 1 :: below[i] = 0 fi :: else fi
       :: enforces(i) && acts(i) && may_strike(i, KEEPER) ->
            told_of(SIGSTOP of the keeper, i); strike(i, KEEPER); frozen[i] = 1
       :: agtool[i] && keeper[i] ->
            told_of(SIGKILL of the container, i); agtool[i] = 0; killed[i] = 1; stopped[i] = 0; keeper[i] = 0; frozen[i] = 0;
            command[i] = 0; below[i] = 0
#ifdef SQLITE
       :: held[i] -> told_of(the lock file is deleted, i); held[i] = 0; lost[i] = alive(i)
#else
       :: session[i] -> told_of(the session is terminated, i); abort(i)
       :: !silent[i] -> told_of(the network goes silent, i); silent[i] = 1
       :: true -> told_of(the server restarts, i); restart(0); restart(1);
#if RUNS > 2
          restart(2);
#endif
#endif
#ifdef WALL_CLOCK
       :: waits[i] -> told_of(the clock jumps, i); watch[i] = DIE
#endif
#ifdef SQLITE
       :: else
#endif
       fi;
       i = 0 }
  :: atomic { stopped[0] -> stopped[0] = 0 }
  :: atomic { stopped[1] -> stopped[1] = 0 }
  :: atomic { frozen[0] -> frozen[0] = 0 }
  :: atomic { frozen[1] -> frozen[1] = 0 }
  :: atomic { silent[0] -> silent[0] = 0 }
  :: atomic { silent[1] -> silent[1] = 0 }
#if RUNS > 2
  :: atomic { stopped[2] -> stopped[2] = 0 }
  :: atomic { frozen[2] -> frozen[2] = 0 }
  :: atomic { silent[2] -> silent[2] = 0 }
#endif
  od
}

/* What has to happen before time goes on. */
#ifdef NO_KEEPER
#define too_late(i) (ending[i] && dying[i] >= GRACE)
#else
#define too_late(i) (!agtool[i] || (ending[i] && dying[i] >= GRACE) \
                     || (!ending[i] && unproven[i] >= NOTICE))
#endif
#define due(i) ((enforces(i) && alive(i) && (too_late(i) || (order[i] && !ending[i]))) \
  || (acts(i) && beats[i] && ((!keeper[i] && alive(i)) \
      || (keeper[i] && !order[i] && !holds(i) && unproven[i] >= NOTICE) \
      || (keeper[i] && order[i] && ordered[i] >= GIVE_UP))))

/* What time changes; it stands still when it changes nothing. */
#define proves(i)    (holds(i) && acts(i) && beats[i])
#define runs_out(i) ((keeper[i] && !proves(i) && unproven[i] <= NOTICE) \
  || (alive(i) && ending[i] && dying[i] < GRACE) || (keeper[i] && order[i] && ordered[i] < GIVE_UP) \
  || (waits[i] && watch[i] < DIE))

inline pass(i) {
  unproven[i] = (keeper[i] && !proves(i) -> (unproven[i] <= NOTICE -> unproven[i] + 1 : unproven[i]) : 0);
  dying[i] = (alive(i) && ending[i] -> (dying[i] < GRACE -> dying[i] + 1 : GRACE) : 0);
  ordered[i] = (keeper[i] && order[i] -> (ordered[i] < GIVE_UP -> ordered[i] + 1 : GIVE_UP) : 0);
  watch[i] = (waits[i] -> (watch[i] < DIE -> watch[i] + 1 : DIE) : 0)
}

active proctype Clock() {
end:
  do
  :: atomic { some(runs_out) && !some(due) ->
       pass(0); pass(1);
#if RUNS > 2
       pass(2);
#endif
       skip }
  od
}
