/* SPDX-License-Identifier: Apache-2.0
 *
 * All that the evidence enclave does: it takes a TARGETINFO and 64 bytes of report data from a page of
 * its host, has the processor make a REPORT of them (EREPORT) and puts that into the same page. It has
 * no secrets, no state, no stack. Position-independent; loaded at offset 0 of the enclave, whose base
 * is a multiple of its size. In the agent it is data, never run there.
 *
 * In, from EENTER: rcx where to leave to, rdi the host's page. Everything else is the host's word.
 * The host's page is read and written in aligned pieces of 8 bytes, as MMIO stale data (INTEL-SA-00615)
 * and stale APIC data (INTEL-SA-00657) ask for. */
#include "nodeagent/enclave/layout.h"

	.section .rodata.evidence_enclave, "a", @progbits
	.balign	64
	.globl	evidence_enclave_code
	.type	evidence_enclave_code, @object
evidence_enclave_code:
.Lcode:
	mov	%rcx, %r10
	lea	.Lcode(%rip), %r11

	/* The page is a whole one, and not in here: its address differs from the base above the
	 * enclave's size. */
	mov	%rdi, %rax
	xor	%r11, %rax
	test	$(ENCLAVE_PAGE - 1), %eax
	jnz	.Lout
	shr	$ENCLAVE_SIZE_SHIFT, %rax
	jz	.Lout
	lfence

	mov	$((EXCHANGE_TARGET_INFO_SIZE + EXCHANGE_REPORT_DATA_SIZE) / 8), %ecx
.Lin:
	mov	-8(%rdi,%rcx,8), %rax
	mov	%rax, (ENCLAVE_DATA - 8)(%r11,%rcx,8)
	dec	%ecx
	jnz	.Lin

	lea	(ENCLAVE_DATA + EXCHANGE_TARGET_INFO)(%r11), %rbx
	lea	(ENCLAVE_DATA + EXCHANGE_REPORT_DATA)(%r11), %rcx
	lea	(ENCLAVE_DATA + EXCHANGE_REPORT)(%r11), %rdx
	mov	$ENCLU_EREPORT, %eax
	enclu

	mov	$(EXCHANGE_REPORT_SIZE / 8), %ecx
.Lback:
	mov	(ENCLAVE_DATA + EXCHANGE_REPORT - 8)(%r11,%rcx,8), %rax
	mov	%rax, (EXCHANGE_REPORT - 8)(%rdi,%rcx,8)
	dec	%ecx
	jnz	.Lback

.Lout:
	mov	%r10, %rbx
	mov	$ENCLU_EEXIT, %eax
	enclu
.Lend:
	.size	evidence_enclave_code, . - evidence_enclave_code

	.balign	8
	.globl	evidence_enclave_code_size
	.type	evidence_enclave_code_size, @object
evidence_enclave_code_size:
	.quad	.Lend - .Lcode
	.size	evidence_enclave_code_size, . - evidence_enclave_code_size

	.section .note.GNU-stack, "", @progbits
#ifdef __CET__
#include <cet.h>
#endif
