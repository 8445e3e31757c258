/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulated TEE's document: verified. */
#include <errno.h>

#include "common/tee/cert.h"
#include "common/tee/collateral.h"
#include "common/tee/evidence.h"
#include "common/tee/signature.h"
#include "common/tee/simulated.h"
#include "common/tee/verify.h"

/* By name and key: is it one of the installation's agents, at this time? */
static int check_certificate(const struct verify_input *in, struct verdict *v, struct cert *leaf)
{
	struct cert *root = in->collateral->roots.simulated;
	int r = cert_check_issued(leaf, root, NULL);

	if (r == -ENOMEM)
		return verdict_refuse_oom(v);
	/* Each installation's root has the same name. */
	if (r < 0)
		return verdict_refuse(v, REASON_UnknownRoot,
			"the simulated node's certificate is not of this installation's simulated "
			"root: let its agent fetch a new one from this verifier");
	if (leaf->ca)
		return verdict_refuse(v, REASON_ChainInvalid,
			"the simulated node's certificate is an authority's: let the agent fetch "
			"one "
			"of its own");
	verdict_until(v, root->not_after);
	verdict_until(v, leaf->not_after);
	if (!cert_valid_at(root, in->time))
		return verdict_refuse(v, REASON_CertificateExpired,
			"the simulated root's certificate is not valid at this time: check the "
			"clock, "
			"or make a new root");
	if (!cert_valid_at(leaf, in->time))
		return verdict_refuse(v, REASON_CertificateExpired,
			"the simulated node's certificate is not valid at this time: check the "
			"clock, "
			"or let its agent fetch a new one");
	return 0;
}

static int check_signature(
	const struct verify_input *in, struct verdict *v, const struct simulated *s)
{
	struct cert *leaf[1] = {NULL};
	struct error err = {0};
	const char *uid;
	EVP_PKEY *key;
	int r = cert_parse_pem(leaf, 1, s->certificate, &err);

	if (r < 0)
		return verdict_refuse(v, r == -ENOMEM ? REASON_Internal : REASON_ChainInvalid,
			"the simulated node's certificate: %s", err.message);
	r = check_certificate(in, v, leaf[0]);
	key = r == 0 ? cert_key(leaf[0]) : NULL;
	if (r == 0 && (!key || signature_p256(key, s->signature, s->body) < 0))
		r = verdict_refuse(v, REASON_QuoteSignatureInvalid,
			"the signature over the simulated evidence is not its certificate's: it "
			"was "
			"changed, or made by somebody else");
	uid = span_after(span_str(leaf[0]->subject), "node:").p;
	if (r == 0 && (!uid || strcmp(uid, s->node_uid) != 0))
		r = verdict_refuse(v, REASON_NodeMismatch,
			"the evidence is of the node with the UID %s, signed with the certificate "
			"of "
			"'%s': make evidence on this node",
			s->node_uid, leaf[0]->subject);
	cert_unref(leaf[0]);
	return r;
}

int simulated_verify(const struct verify_input *in, struct verdict *v)
{
	const struct simulated *s = &in->evidence->simulated;
	struct measurement got[SIMULATED_MEASUREMENTS_MAX];
	int r;

	if (!in->policy->allow_simulated)
		return verdict_refuse(v, REASON_SimulatedNotAllowed,
			"a simulated TEE protects nothing and is not allowed here: use a real TEE, "
			"or "
			"set allowSimulated for development");
	if (!in->collateral->roots.simulated)
		return verdict_refuse(v, REASON_UnknownRoot,
			"no simulated root is trusted: add the installation's root certificate to "
			"trustedRoots");
	r = check_signature(in, v, s);
	if (r < 0)
		return r;
	memcpy(v->platform_id, s->platform_id, s->platform_id_len);
	v->platform_id_len = s->platform_id_len;
	/* simulated_parse() let only known ones pass. */
	if (!tcb_status_parse(span_str(s->tcb_status), &v->tcb))
		return verdict_refuse(v, REASON_Malformed, "the TCB's status is unknown");
	v->platform_tcb = v->tcb;
	if (s->debug && !in->policy->allow_debug)
		return verdict_refuse(v, REASON_DebugNotAllowed,
			"the simulated TEE says that it is in debug mode: run it without, or set "
			"allowDebug");
	for (size_t i = 0; i < s->n_measurements; i++) {
		got[i] = (struct measurement){
			.name = s->measurements[i].name, .len = s->measurements[i].len};
		memcpy(got[i].value, s->measurements[i].value, s->measurements[i].len);
	}
	r = verdict_judge(v, in, got, s->n_measurements);
	if (r == 0)
		v->reason = REASON_Simulated;
	return r;
}
