/*
 * What differs from machine to machine: how a program starts, how it calls the kernel, and the
 * kernel's numbers for its services. Everything else is in pause.c.
 *
 * The two pieces of assembly obey the C calling convention of their machine, so that the compiler
 * can treat them as ordinary functions:
 *
 *   _start       is where the kernel jumps to after exec. The stack pointer then points at argc,
 *                and argv follows. It hands that address to start_c() in pause.c. There is no
 *                caller to return to, so start_c() never returns.
 *   system_call  moves its arguments from where C puts them to where the kernel expects them.
 *                The result is what the kernel gives: a negative number is -errno.
 *
 * The numbers are part of the kernel's promise to programs: they never change. Most machines share
 * one list (asm-generic/unistd.h); the older ones have lists of their own.
 */
#ifndef SYSCALLS_H
#define SYSCALLS_H

/* Five arguments are enough for every call made here; the calls that take fewer ignore the rest. */
long system_call(long number, long a, long b, long c, long d, long e);

#if defined(__x86_64__)

enum {
    SYS_read = 0,
    SYS_write = 1,
    SYS_close = 3,
    SYS_rt_sigaction = 13,
    SYS_rt_sigprocmask = 14,
    SYS_clone = 56,
    SYS_execve = 59,
    SYS_wait4 = 61,
    SYS_kill = 62,
    SYS_fcntl = 72,
    SYS_fsync = 74,
    SYS_fchmod = 91,
    SYS_setpgid = 109,
    SYS_rt_sigtimedwait = 128,
    SYS_clock_gettime = 228,
    SYS_exit_group = 231,
    SYS_openat = 257,
    SYS_unlinkat = 263,
    SYS_readlinkat = 267,
    SYS_faccessat = 269,
    SYS_ppoll = 271,
    SYS_signalfd4 = 289,
    SYS_dup3 = 292,
    SYS_pipe2 = 293,
    SYS_renameat2 = 316,
};

/* The kernel destroys rcx and r11, which belong to no caller; that is why argument d moves. */
__asm__(".text\n"
        ".global _start\n"
        "_start:\n"
        "    xor %ebp, %ebp\n" /* a frame pointer of zero ends a debugger's backtrace */
        "    mov %rsp, %rdi\n"
        "    and $-16, %rsp\n" /* C expects the stack at a multiple of 16 */
        "    call start_c\n"
        ".type system_call, @function\n"
        "system_call:\n"
        "    mov %rdi, %rax\n"
        "    mov %rsi, %rdi\n"
        "    mov %rdx, %rsi\n"
        "    mov %rcx, %rdx\n"
        "    mov %r8, %r10\n"
        "    mov %r9, %r8\n"
        "    syscall\n"
        "    ret\n");

#elif defined(__aarch64__) || (defined(__riscv) && __riscv_xlen == 64)

/* asm-generic/unistd.h */
enum {
    SYS_dup3 = 24,
    SYS_fcntl = 25,
    SYS_unlinkat = 35,
    SYS_faccessat = 48,
    SYS_fchmod = 52,
    SYS_openat = 56,
    SYS_close = 57,
    SYS_pipe2 = 59,
    SYS_read = 63,
    SYS_write = 64,
    SYS_ppoll = 73,
    SYS_signalfd4 = 74,
    SYS_readlinkat = 78,
    SYS_fsync = 82,
    SYS_exit_group = 94,
    SYS_clock_gettime = 113,
    SYS_kill = 129,
    SYS_rt_sigaction = 134,
    SYS_rt_sigprocmask = 135,
    SYS_rt_sigtimedwait = 137,
    SYS_setpgid = 154,
    SYS_clone = 220,
    SYS_execve = 221,
    SYS_wait4 = 260,
    SYS_renameat2 = 276,
};

#if defined(__aarch64__)

__asm__(".text\n"
        ".global _start\n"
        "_start:\n"
        "    mov x29, #0\n"
        "    mov x30, #0\n"
        "    mov x0, sp\n" /* the kernel has aligned it */
        "    b start_c\n"
        ".type system_call, %function\n"
        "system_call:\n"
        "    mov x8, x0\n"
        "    mov x0, x1\n"
        "    mov x1, x2\n"
        "    mov x2, x3\n"
        "    mov x3, x4\n"
        "    mov x4, x5\n"
        "    svc #0\n"
        "    ret\n");

#else /* riscv64 */

/* Linkers may address data relative to gp, which has to be set before that works: hence norelax. */
__asm__(".text\n"
        ".weak __global_pointer$\n"
        ".global _start\n"
        "_start:\n"
        ".option push\n"
        ".option norelax\n"
        "    lla gp, __global_pointer$\n"
        ".option pop\n"
        "    mv a0, sp\n"
        "    andi sp, sp, -16\n"
        "    tail start_c\n"
        ".type system_call, @function\n"
        "system_call:\n"
        "    mv a7, a0\n"
        "    mv a0, a1\n"
        "    mv a1, a2\n"
        "    mv a2, a3\n"
        "    mv a3, a4\n"
        "    mv a4, a5\n"
        "    ecall\n"
        "    ret\n");

#endif

#elif defined(__arm__) && defined(__ARM_EABI__)

/*
 * The calls with 32-bit times, on purpose: the 64-bit ones are missing before Linux 5.1, and old
 * container runtimes forbid them. Only durations are measured here, and 68 years are enough.
 */
enum {
    SYS_read = 3,
    SYS_write = 4,
    SYS_close = 6,
    SYS_execve = 11,
    SYS_kill = 37,
    SYS_fcntl = 55,
    SYS_setpgid = 57,
    SYS_fchmod = 94,
    SYS_wait4 = 114,
    SYS_fsync = 118,
    SYS_clone = 120,
    SYS_rt_sigaction = 174,
    SYS_rt_sigprocmask = 175,
    SYS_rt_sigtimedwait = 177,
    SYS_exit_group = 248,
    SYS_clock_gettime = 263,
    SYS_openat = 322,
    SYS_unlinkat = 328,
    SYS_faccessat = 334,
    SYS_ppoll = 336,
    SYS_signalfd4 = 355,
    SYS_dup3 = 358,
    SYS_pipe2 = 359,
    SYS_renameat2 = 382,
};

/*
 * ".arm" and "%function" mark both as ARM code, whatever the rest is compiled to: the linker then
 * makes calls between them and Thumb code switch as they should. C passes four arguments in r0 to
 * r3 and the others on the stack, behind the four registers that are saved here. The number goes
 * into r7, which is Thumb's frame pointer: one more reason not to write this as inline assembly.
 */
__asm__(".text\n"
        ".arm\n"
        ".align 2\n"
        ".global _start\n"
        ".type _start, %function\n"
        "_start:\n"
        "    mov r11, #0\n"
        "    mov r0, sp\n"
        "    bic sp, sp, #7\n" /* C expects the stack at a multiple of 8 */
        "    bl start_c\n"
        ".type system_call, %function\n"
        "system_call:\n"
        "    push {r4, r5, r7, lr}\n"
        "    mov r7, r0\n"
        "    mov r0, r1\n"
        "    mov r1, r2\n"
        "    mov r2, r3\n"
        "    ldr r3, [sp, #16]\n"
        "    ldr r4, [sp, #20]\n"
        "    svc #0\n"
        "    pop {r4, r5, r7, pc}\n");

#elif defined(__powerpc64__) && _CALL_ELF == 2

enum {
    SYS_read = 3,
    SYS_write = 4,
    SYS_close = 6,
    SYS_execve = 11,
    SYS_kill = 37,
    SYS_fcntl = 55,
    SYS_setpgid = 57,
    SYS_fchmod = 94,
    SYS_wait4 = 114,
    SYS_fsync = 118,
    SYS_clone = 120,
    SYS_rt_sigaction = 173,
    SYS_rt_sigprocmask = 174,
    SYS_rt_sigtimedwait = 176,
    SYS_exit_group = 234,
    SYS_clock_gettime = 246,
    SYS_ppoll = 281,
    SYS_openat = 286,
    SYS_unlinkat = 292,
    SYS_faccessat = 298,
    SYS_signalfd4 = 313,
    SYS_dup3 = 316,
    SYS_pipe2 = 317,
    SYS_renameat2 = 357,
};

/*
 * C code finds its data through r2 (the TOC), which _start computes from its own address: the
 * kernel gives that in r12. The 32 bytes are the smallest frame that a called function may expect.
 * The kernel reports an error with a positive errno and the "summary overflow" flag.
 */
__asm__(".text\n"
        ".global _start\n"
        ".type _start, @function\n"
        "_start:\n"
        "    addis 2, 12, .TOC. - _start@ha\n"
        "    addi 2, 2, .TOC. - _start@l\n"
        "    mr 3, 1\n"
        "    clrrdi 1, 1, 4\n"
        "    li 0, 0\n"
        "    stdu 0, -32(1)\n"
        "    bl start_c\n"
        "    nop\n"
        ".type system_call, @function\n"
        "system_call:\n"
        "    mr 0, 3\n"
        "    mr 3, 4\n"
        "    mr 4, 5\n"
        "    mr 5, 6\n"
        "    mr 6, 7\n"
        "    mr 7, 8\n"
        "    sc\n"
        "    bnslr\n"
        "    neg 3, 3\n"
        "    blr\n");

#elif defined(__s390x__)

enum {
    SYS_read = 3,
    SYS_write = 4,
    SYS_close = 6,
    SYS_execve = 11,
    SYS_kill = 37,
    SYS_fcntl = 55,
    SYS_setpgid = 57,
    SYS_fchmod = 94,
    SYS_wait4 = 114,
    SYS_fsync = 118,
    SYS_clone = 120,
    SYS_rt_sigaction = 174,
    SYS_rt_sigprocmask = 175,
    SYS_rt_sigtimedwait = 177,
    SYS_exit_group = 248,
    SYS_clock_gettime = 260,
    SYS_openat = 288,
    SYS_unlinkat = 294,
    SYS_faccessat = 300,
    SYS_ppoll = 302,
    SYS_signalfd4 = 322,
    SYS_pipe2 = 325,
    SYS_dup3 = 326,
    SYS_renameat2 = 347,
};

/*
 * Every frame starts with 160 bytes that belong to the called function; the sixth argument stands
 * behind them. r6 must be as before when system_call returns, and its place there is at 48.
 */
__asm__(".text\n"
        ".align 4\n"
        ".global _start\n"
        "_start:\n"
        "    lgr %r2, %r15\n"
        "    aghi %r15, -160\n"
        "    xc 0(8, %r15), 0(%r15)\n" /* no older frame */
        "    brasl %r14, start_c\n"
        ".type system_call, @function\n"
        "system_call:\n"
        "    stg %r6, 48(%r15)\n"
        "    lgr %r1, %r2\n"
        "    lgr %r2, %r3\n"
        "    lgr %r3, %r4\n"
        "    lgr %r4, %r5\n"
        "    lgr %r5, %r6\n"
        "    lg %r6, 160(%r15)\n"
        "    svc 0\n"
        "    lg %r6, 48(%r15)\n"
        "    br %r14\n");

/* Two of the arguments change places: the new stack comes before the flags. */
#define CLONE_TAKES_FLAGS_SECOND

#else
#error "pause knows x86_64, aarch64, arm (EABI), riscv64, powerpc64 (ELFv2) and s390x"
#endif

#endif
