// long sigpp_call(const unsigned *attention, unsigned *active, const long *call): see ../call.hpp.
//
// From sigpp_call_begin to sigpp_call_end the test of the attention word and the system call are one
// unit: a signal handler that raises the word and finds the program counter in there moves it to
// sigpp_call_exit. The kernel leaves it on the syscall instruction when a call that has had no effect is
// to be restarted (SA_RESTART), and behind it when there is a result, which is kept.
        .text
        .globl  sigpp_call, sigpp_call_begin, sigpp_call_end, sigpp_call_exit, sigpp_call_last
        .hidden sigpp_call, sigpp_call_begin, sigpp_call_end, sigpp_call_exit, sigpp_call_last
        .type   sigpp_call, @function
        .p2align 4
sigpp_call:
        .cfi_startproc
        endbr64
        pushq   %rbx
        .cfi_def_cfa_offset 16
        .cfi_offset %rbx, -16
        movq    %rsi, %rbx              // syscall changes rcx and r11, and no more
        movq    %rdi, %rcx
        movl    $1, (%rbx)
        movq    (%rdx), %rax
        movq    8(%rdx), %rdi
        movq    16(%rdx), %rsi
        movq    32(%rdx), %r10
        movq    40(%rdx), %r8
        movq    48(%rdx), %r9
        movq    24(%rdx), %rdx
sigpp_call_begin:
        cmpl    $0, (%rcx)
        jne     sigpp_call_exit
        syscall
sigpp_call_end:
        movl    $0, (%rbx)
        popq    %rbx
        .cfi_remember_state
        .cfi_def_cfa_offset 8
        .cfi_restore %rbx
        ret
sigpp_call_exit:
        .cfi_restore_state
        movq    $-4, %rax               // -EINTR
        movl    $0, (%rbx)
        popq    %rbx
        .cfi_def_cfa_offset 8
        .cfi_restore %rbx
        ret
sigpp_call_last:
        .cfi_endproc
        .size   sigpp_call, . - sigpp_call

// sigpp_short_call(a, b, c, const what *, const unsigned *attention, unsigned *active): see ../call.hpp.
        .globl  sigpp_short_call, sigpp_short_begin, sigpp_short_end, sigpp_short_exit, sigpp_short_last
        .hidden sigpp_short_call, sigpp_short_begin, sigpp_short_end, sigpp_short_exit, sigpp_short_last
        .type   sigpp_short_call, @function
        .p2align 4
sigpp_short_call:
        .cfi_startproc
        endbr64
        movq    %rcx, %r10              // the fourth argument of a system call: these have three
        movq    (%rcx), %rax
        movl    $1, (%r9)
sigpp_short_begin:
        cmpl    $0, (%r8)
        jne     sigpp_short_exit
        syscall
sigpp_short_end:
        movl    $0, (%r9)
        testq   %rax, %rax
        js      1f
        ret
sigpp_short_exit:
        movl    $0, (%r9)
        movq    $-4, %rax               // -EINTR
1:      movq    %rax, %rcx
        jmp     *8(%r10)
sigpp_short_last:
        .cfi_endproc
        .size   sigpp_short_call, . - sigpp_short_call

// Works under CET: entered at endbr64; the exits are entered by sigreturn, which is not tracked.
        .section .note.gnu.property, "a"
        .p2align 3
        .long   4, 16, 5
        .asciz  "GNU"
        .long   0xc0000002, 4, 3, 0     // x86 features: IBT, SHSTK
        .section .note.GNU-stack, "", @progbits
