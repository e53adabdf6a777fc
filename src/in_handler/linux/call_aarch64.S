// long sigpp_call(const unsigned *attention, unsigned *active, const long *call): see ../call.hpp, and
// call_x86_64.S for how it works. The kernel changes x0, and no more.
        .text
        .globl  sigpp_call, sigpp_call_begin, sigpp_call_end, sigpp_call_exit, sigpp_call_last
        .hidden sigpp_call, sigpp_call_begin, sigpp_call_end, sigpp_call_exit, sigpp_call_last
        .type   sigpp_call, %function
        .p2align 4
sigpp_call:
        .cfi_startproc
        hint    #34                     // bti c
        mov     x9, x0
        mov     x10, x1
        mov     x11, x2
        mov     w12, #1
        str     w12, [x10]
        ldr     x8, [x11]
        ldp     x0, x1, [x11, #8]
        ldp     x2, x3, [x11, #24]
        ldp     x4, x5, [x11, #40]
sigpp_call_begin:
        ldr     w12, [x9]
        cbnz    w12, sigpp_call_exit
        svc     #0
sigpp_call_end:
        str     wzr, [x10]
        ret
sigpp_call_exit:
        mov     x0, #-4                 // -EINTR
        str     wzr, [x10]
        ret
sigpp_call_last:
        .cfi_endproc
        .size   sigpp_call, . - sigpp_call

// See ../call.hpp.
        .globl  sigpp_short_call, sigpp_short_begin, sigpp_short_end, sigpp_short_exit, sigpp_short_last
        .hidden sigpp_short_call, sigpp_short_begin, sigpp_short_end, sigpp_short_exit, sigpp_short_last
        .type   sigpp_short_call, %function
        .p2align 4
sigpp_short_call:
        .cfi_startproc
        hint    #34                     // bti c
        mov     x9, x0
        ldp     x8, x16, [x3]
        mov     w12, #1
        str     w12, [x5]
sigpp_short_begin:
        ldr     w12, [x4]
        cbnz    w12, sigpp_short_exit
        svc     #0
sigpp_short_end:
        str     wzr, [x5]
        tbnz    x0, #63, 1f
        ret
sigpp_short_exit:
        mov     x0, #-4                 // -EINTR
        str     wzr, [x5]
1:      mov     x3, x0
        mov     x0, x9
        br      x16
sigpp_short_last:
        .cfi_endproc
        .size   sigpp_short_call, . - sigpp_short_call

        .section .note.gnu.property, "a"
        .p2align 3
        .long   4, 16, 5
        .asciz  "GNU"
        .long   0xc0000000, 4, 1, 0     // aarch64 features: BTI
        .section .note.GNU-stack, "", %progbits
