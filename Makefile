# SPDX-License-Identifier: Apache-2.0
# make [SAN=address,undefined|thread] [CC=clang] [WERROR=1] [V=1]; everything built lands in $(B).
# `make help` lists the targets.
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-print-directory

comma   := ,
ifeq ($(origin CC),default)
CC      := gcc
endif
PREFIX  ?= /usr/local
BINDIR  ?= $(PREFIX)/bin
INSTALL ?= install
PKG_CONFIG ?= pkg-config
PROTOC_C   ?= protoc-c
BUILD   ?= build
Q       := $(if $(V),,@)
# One folder per compiler and sanitizer, always derived: a B given by hand would be inherited by
# check-san's sub-make, which would then find plain objects up to date and test those.
override B := $(BUILD)/$(notdir $(lastword $(CC)))$(if $(SAN),-$(subst $(comma),-,$(SAN)))

PKGS      := libcrypto libssl json-c yaml-0.1 libcurl libmicrohttpd gnutls libsystemd \
	libnghttp2 libprotobuf-c libcbor zlib p11-kit-1
EXEC_PKGS := libcrypto
EXEC_SGX_PKGS := libssl libcrypto
# A daemon is a folder with a main.c; the tree builds before the second one exists.
PROGS := $(patsubst %/main.c,%,$(wildcard webhook/main.c nodeagent/main.c))
EXEC  := $(patsubst %/main.c,%,$(wildcard nodeagent/exec/main.c))
EXEC_SGX := $(B)/nodeagent/exec/casemate-exec-sgx

# A flag, if this compiler takes it.
cc-option = $(shell $(CC) -Werror $(1) -x c -c /dev/null -o /dev/null 2>/dev/null && echo $(1))
# A file that changes only when TEXT does: $(call stamp,FILE,TEXT).
stamp = $(shell mkdir -p $(dir $(1)) && { echo '$(2)' | cmp -s - $(1) || echo '$(2)' >$(1); })

WARN := -Wall -Wextra -Wformat=2 -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wold-style-definition -Wpointer-arith -Wwrite-strings -Wundef -Wvla \
	-Wimplicit-fallthrough -Wdate-time $(call cc-option,-Wjump-misses-init) $(if $(WERROR),-Werror)
OPT  := -O2 -g -fno-strict-aliasing -fno-common -fPIE
HARD := -fstack-protector-strong -fstack-clash-protection $(call cc-option,-fcf-protection=full) \
	$(call cc-option,-ftrivial-auto-var-init=zero)
FORT := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
SAFE := -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,--as-needed
LINK := -pie $(SAFE)
STATIC := -static-pie $(SAFE)
ifneq ($(SAN),)
OPT  := -O1 -g1 -fno-strict-aliasing -fno-common -fPIE
HARD := -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer
FORT :=
LINK := -pie -fsanitize=$(SAN)
STATIC := $(LINK)
endif

# The user's flags come last and are never changed: an environment CFLAGS that make had overridden
# would be exported to the sub-makes with the parent's -O2 and _FORTIFY_SOURCE in it.
cppflags := -I. -I$(B)/gen -D_GNU_SOURCE $(FORT) $(shell $(PKG_CONFIG) --cflags $(PKGS)) $(CPPFLAGS)
cflags   := -std=gnu17 $(OPT) $(WARN) $(HARD) -ffile-prefix-map=$(CURDIR)=. $(CFLAGS)
ldflags  := $(LINK) $(LDFLAGS)
libs     := $(shell $(PKG_CONFIG) --libs $(PKGS))
exec_libs := $(shell $(PKG_CONFIG) $(if $(SAN),,--static) --libs $(EXEC_PKGS))
exec_sgx_libs := $(shell $(PKG_CONFIG) $(if $(SAN),,--static) --libs $(EXEC_SGX_PKGS))
mj        = $(if $(findstring clang,$(CC)),-MJ $(@:.o=.json))
# A change of compiler or flags rebuilds (WERROR=1 after a plain build must not be a no-op).
$(call stamp,$(B)/flags,$(CC) $(cppflags) $(cflags) $(ldflags))

# A component's own sources and those of its rooms; casemate-exec is a component of its own.
srcs   = $(sort $(filter-out $(if $(filter-out $(EXEC),$(1)),$(EXEC:%=%/%)),$(wildcard $(1)/*.c $(1)/*/*.c)))
protos = $(sort $(wildcard $(1)/*.proto $(1)/*/*.proto))
asm    = $(sort $(wildcard $(1)/*/*.S))
objs   = $(patsubst %.c,$(B)/%.o,$(1))
gen    = $(patsubst %.proto,$(B)/gen/%.pb-c.$(2),$(call protos,$(1)))
lib    = $(B)/lib$(notdir $(1)).a
members = $(call objs,$(filter-out %/main.c common/base/wipe.c,$(call srcs,$(1)))) $(call gen,$(1),o) \
	$(patsubst %.S,$(B)/%.o,$(call asm,$(1)))

# What frees memory in the programs: no library's, which would take it into static programs too, where
# the C library's own is; sanitizers have theirs.
WIPE    := $(if $(SAN),,$(B)/common/base/wipe.o)
# Everything but main.c is a library, so tests and fuzzers link what ships.
PARTS   := $(PROGS) $(EXEC) common
LIBS    := $(foreach p,$(PARTS),$(call lib,$(p)))
BINS    := $(foreach p,$(PROGS),$(B)/$(p)/casemate-$(p)) $(EXEC:%=$(B)/%/casemate-exec) $(EXEC_SGX)
GEN_H   := $(foreach p,$(PARTS),$(call gen,$(p),h))
UNIT    := $(B)/tests/unit/run
GRPC_PEER := $(B)/tests/integration/grpc/peer
FUZZ_SRC := $(wildcard tests/fuzz/*_fuzz.c)
FUZZERS := $(FUZZ_SRC:%.c=$(B)/%)
# Synthetic vendors: a library of the unit tests, and a program that writes files.
MAKE_EVIDENCE := $(B)/tests/tee/make-evidence
TEE_OBJS := $(call objs,$(filter-out tests/tee/make_evidence.c,$(call srcs,tests/tee)))
FUZZ_AUX := $(call objs,$(filter-out $(FUZZ_SRC),$(call srcs,tests/fuzz)))
RENDER  := $(B)/tests/integration/page/render
TSM_ASK := $(B)/tests/integration/tsm/ask
PUT_KEY := $(B)/tests/integration/kbs/put_key
OPEN_KEY := $(B)/tests/integration/kbs/open_key
CHURN   := $(B)/tests/integration/keys/churn
REFUSING := $(B)/tests/integration/kek/refusing.so
BROKER_BENCH := $(B)/tests/bench/broker
BENCHES := $(patsubst %.c,$(B)/%,$(wildcard tests/bench/*.c))
PEERS   := $(B)/tests/cluster/plugin_peer
OBJS    := $(foreach p,$(PARTS) tests/unit tests/tee tests/fuzz tests/bench tests/integration,$(call objs,$(call srcs,$(p)))) $(PEERS:=.o)

# The evidence enclave's measurement, for policies to name.
ENCLAVE := $(patsubst nodeagent,$(B)/nodeagent/evidence-enclave.mrenclave,$(filter nodeagent,$(PROGS)))

all: $(BINS) $(ENCLAVE)

help:
	@echo 'make              the programs, in $(B)'
	@echo 'make deps         installs what building and testing need (packages.txt; as root)'
	@echo 'make demo         a one-node Kubernetes with Casemate and a confidential pod, from nothing'
	@echo 'make demo-down    ends it'
	@echo 'make test         everything below that can fail, on a real cluster too'
	@echo 'make check        unit tests; check-san, check-tsan: under sanitizers'
	@echo 'make check-malleability  every bit of real evidence and collateral turned, in minutes'
	@echo 'make check-durability    the broker killed during 1,000 releases, rotations and imports'
	@echo 'make check-vault         the key-encryption key in a real Vault, which is built the first time'
	@echo 'make fuzz         each fuzz target for T seconds (10)'
	@echo 'make check-chart  chart and manifests'
	@echo 'make check-programs  the programs without a cluster: serve --standalone, review, verify'
	@echo 'make check-cluster   on a one-node Kubernetes, two tests at once (LANES); K8S=1.34 for the older one'
	@echo 'make check-rotation  a key rotated under load, for 5 minutes'
	@echo 'make check-failover  the leader of the verifier dies, is cut off, is frozen: minutes'
	@echo 'make bench        figures beside a bound measured in the same run'
	@echo 'make bench-fleet  what 1,000 nodes of kwok cost the verifier; minutes'
	@echo 'make lint         static analysis, include directions, scripts'
	@echo 'make image        the OCI image, as a layout in build/image'
	@echo 'make manifests    renders manifests/ from the chart'
	@echo 'make cluster-up, cluster-down   the test cluster; see tests/cluster/kubectl'
	@echo 'make install      PREFIX, DESTDIR; make format, make clean'

define part
$(call stamp,$(B)/$(notdir $(1)).members,$(call members,$(1)))
$(call lib,$(1)): $(call members,$(1)) $(B)/$(notdir $(1)).members
	$$(Q)$$(RM) $$@; $$(AR) rcsD $$@ $$(filter %.o,$$^)
endef
define prog
$(B)/$(1)/casemate-$(1): $(B)/$(1)/main.o $(WIPE) $(call lib,$(1)) $(call lib,common)
	$$(Q)$$(CC) $$(ldflags) -o $$@ $$^ $$(libs)
endef
$(foreach p,$(PARTS),$(eval $(call part,$(p))))
$(foreach p,$(PROGS),$(eval $(call prog,$(p))))

$(B)/nodeagent/evidence-enclave.mrenclave: $(B)/nodeagent/casemate-nodeagent
	$(Q)$< evidence-enclave --mrenclave >$@
	@printf 'MRENCLAVE of the evidence enclave: %s\n' "$$(cat $@)"

# Static, so that it runs in any container; only what it calls comes out of libcommon.a.
$(B)/nodeagent/exec/casemate-exec: $(B)/nodeagent/exec/main.o $(call lib,nodeagent/exec) $(call lib,common)
	$(Q)$(CC) $(STATIC) $(LDFLAGS) -o $@ $^ $(exec_libs)

# The same with TLS, for enclaves. The linker warns of what a static program cannot load (name services
# that it does not use, OpenSSL's modules), and is told to say nothing; V=1 lets it.
$(EXEC_SGX): $(B)/nodeagent/exec/sgx/main.o $(call lib,nodeagent/exec) $(call lib,common)
	$(Q)$(CC) $(STATIC) $(if $(SAN)$(V),,-Wl,--no-warnings) $(LDFLAGS) -o $@ $^ $(exec_sgx_libs)

# Memory runs out where a test says so (tests/unit/oom.h).
OOM := $(foreach f,malloc calloc realloc reallocarray strdup strndup asprintf __asprintf_chk algorithm_hash,-Wl$(comma)--wrap=$(f))
# Whole archives: two parts that define the same symbol fail here instead of one hiding the other.
$(UNIT): $(call objs,$(call srcs,tests/unit)) $(TEE_OBJS) $(WIPE) $(LIBS)
	$(Q)$(CC) $(ldflags) -o $@ $(filter %.o,$^) -Wl,--whole-archive $(filter %.a,$^) -Wl,--no-whole-archive $(OOM) $(libs) -lcunit
$(MAKE_EVIDENCE): $(B)/tests/tee/make_evidence.o $(TEE_OBJS) $(call lib,common)
	$(Q)$(CC) $(ldflags) -o $@ $^ $(libs)
$(FUZZERS): $(B)/%: $(B)/%.o $(FUZZ_AUX) $(LIBS)
	$(Q)$(CC) $(ldflags) $(fuzz_ld) -fsanitize=fuzzer -o $@ $^ $(libs)
# What lies behind signatures is fuzzed without them.
$(B)/tests/fuzz/verify_fuzz: fuzz_ld := -Wl,--wrap=signature_p256,--wrap=x509_frame_verify
$(B)/tests/fuzz/ra_tls_fuzz: fuzz_ld := -Wl,--wrap=EVP_DigestVerify
$(B)/tests/fuzz/evidence_fuzz: fuzz_ld := -Wl,--wrap=signature_p384,--wrap=x509_frame_verify
$(B)/tests/fuzz/collateral_fuzz: fuzz_ld := -Wl,--wrap=roots_builtin
$(B)/tests/bench/verify $(B)/tests/bench/snp: $(call objs,$(wildcard tests/bench/ratio/*.c))
$(B)/tests/bench/bare_server: $(B)/tests/bench/release/reference.o
$(GRPC_PEER): $(GRPC_PEER).o $(B)/tests/unit/grpc_fixture.o $(call lib,common)
	$(Q)$(CC) $(ldflags) -o $@ $^ $(libs)
$(RENDER): $(RENDER).o $(B)/tests/unit/status_fixture.o $(LIBS)
	$(Q)$(CC) $(ldflags) -o $@ $^ $(libs)
# It is another time where synthetic evidence is good.
$(BROKER_BENCH): $(BROKER_BENCH).o $(call objs,$(wildcard tests/bench/release/*.c)) $(TEE_OBJS) $(LIBS)
	$(Q)$(CC) $(ldflags) -o $@ $^ -Wl,--wrap=clock_unix_usec $(libs)
$(filter-out $(BROKER_BENCH),$(BENCHES)) $(PEERS) $(TSM_ASK) $(PUT_KEY) $(OPEN_KEY) $(CHURN): $(B)/%: $(B)/%.o $(LIBS)
	$(Q)$(CC) $(ldflags) -o $@ $^ $(libs)

# What is loaded has no place of its own.
$(REFUSING:.so=.o): cflags += -fPIC
$(REFUSING): %.so: %.o
	$(Q)$(CC) $(filter-out -pie,$(ldflags)) -shared -o $@ $^

$(B)/gen/%.pb-c.c $(B)/gen/%.pb-c.h: %.proto
	@mkdir -p $(B)/gen
	$(Q)$(PROTOC_C) --c_out=$(B)/gen -I. $<
$(B)/gen/%.o: $(B)/gen/%.c $(B)/flags
	$(Q)$(CC) $(cppflags) $(cflags) -MMD -MP -c -o $@ $<
$(B)/%.o: %.S $(B)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) $(cppflags) $(HARD) -MMD -MP -c -o $@ $<
$(B)/%.o: %.c $(B)/flags | $(GEN_H)
	@mkdir -p $(@D)
	$(Q)$(CC) $(cppflags) $(cflags) $(mj) -MMD -MP -c -o $@ $<
.SECONDARY: # keep generated sources and fuzz objects

ASAN := ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1
unit: $(UNIT)
lanes = $(Q)$(MAKE) -k -j$(1) --output-sync=target $(2)
# In parts, some at once: they wait more than they compute.
UNIT_RUNS := $(patsubst %,$(UNIT)-%-of-8,0 1 2 3 4 5 6 7)
check: $(UNIT)
	$(call lanes,4,run-unit)
run-unit: $(UNIT_RUNS)
$(UNIT_RUNS): $(UNIT)-%-of-8: $(UNIT)
	$(Q)$(if $(SAN),$(ASAN)) tests/one $(UNIT) $*/8
check-san:
	$(Q)$(MAKE) check SAN=address,undefined
check-tsan:
	$(Q)$(MAKE) check SAN=thread
check-malleability: $(UNIT)
	tests/integration/malleability-test $(B)
check-durability: all $(PUT_KEY) $(OPEN_KEY)
	PUT_KEY=$(PUT_KEY) OPEN_KEY=$(OPEN_KEY) tests/integration/durability-test 1000 150
# Its server is built from its modules and kept outside of the checkout: minutes the first time.
check-vault: all $(PUT_KEY)
	tests/cluster/build vault
	$(call lanes,2,run-vault VAULT=$$(bash -c '. tests/cluster/common.sh; bin vault vault'))
VAULT_TESTS := tests/integration/kek-test tests/vault/vault-test
run-vault: $(VAULT_TESTS:=.vault)
$(VAULT_TESTS:=.vault): %.vault: %
	$(Q)VAULT=$(VAULT) $(PROGRAM_ENV) tests/one --own-network $<
fuzz:
	$(Q)$(MAKE) CC=clang SAN=fuzzer-no-link,address,undefined run-fuzz
run-fuzz: $(FUZZERS:%=%.run)
%.run: %
	@mkdir -p $<.corpus $<.crash
	$(Q)$< -max_total_time=$(or $(T),10) -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
		-artifact_prefix=$<.crash/ $<.corpus $(wildcard tests/fuzz/corpus/$(*F)) 2>$<.log || \
		{ tail -40 $<.log; exit 1; }
	@sed -n 's|^stat::number_of_executed_units: *|$(*F) executions: |p' $<.log
bench-bins: $(BENCHES)
peers: $(PEERS) $(B)/tests/bench/allocate
bench: all bench-bins
	$(B)/tests/bench/verify
	$(B)/tests/bench/snp
	tests/bench/run $(B)
	tests/bench/agent $(B)
	$(BROKER_BENCH)
bench-fleet: all image bench-bins
	tests/bench/fleet $(B)
image: all
	manifests/image
manifests:
	manifests/render
check-chart:
	$(call lanes,2,run-chart)
CHART_TESTS := tests/chart/check tests/chart/monitoring-test
run-chart: $(CHART_TESTS:=.run)
$(CHART_TESTS:=.run): %.run: %
	$(Q)tests/one $<
check-rotation: all $(PUT_KEY) $(OPEN_KEY)
	ROTATION_SECONDS=300 PUT_KEY=$(PUT_KEY) OPEN_KEY=$(OPEN_KEY) tests/integration/rotation-test
check-image: all
	tests/chart/image-test
# Tests of the programs are all of tests/integration but those with a target of their own; those of the
# cluster are named. The longest begin. Some run at once, since they wait more than they compute (LANES
# clusters), and all of them whatever fails.
LANES ?= 2
APART_TESTS := $(patsubst %,tests/integration/%-test,malleability)
LONG_TESTS := $(wildcard $(patsubst %,tests/integration/%-test,tls memory verify kbs provision kek guest review standalone))
PROGRAM_TESTS := $(LONG_TESTS) $(filter-out $(LONG_TESTS) $(APART_TESTS),$(wildcard tests/integration/*-test))
PROGRAM_TOOLS := $(GRPC_PEER) $(RENDER) $(MAKE_EVIDENCE) $(TSM_ASK) $(PUT_KEY) $(OPEN_KEY) $(CHURN) $(REFUSING)
PROGRAM_ENV := B=$(B) CASEMATE_NODEAGENT=$(B)/nodeagent/casemate-nodeagent CASEMATE_EXEC=$(B)/nodeagent/exec/casemate-exec \
	CASEMATE_EXEC_SGX=$(EXEC_SGX) \
	RENDER=$(RENDER) TSM_ASK=$(TSM_ASK) PUT_KEY=$(PUT_KEY) OPEN_KEY=$(OPEN_KEY) CHURN=$(CHURN) REFUSING=$(abspath $(REFUSING)) MAKE_EVIDENCE=$(abspath $(MAKE_EVIDENCE))
CLUSTER_TESTS := $(patsubst %,tests/cluster/%-test,admission trust keys agent attest) tests/chart/cluster-test \
	$(patsubst %,tests/cluster/%-test,plugin monitoring images fence metrics smoke)
check-programs: all $(PROGRAM_TOOLS)
	$(call lanes,4,run-programs)
run-programs: $(PROGRAM_TESTS:=.run)
$(PROGRAM_TESTS:=.run): %.run: %
	$(Q)$(PROGRAM_ENV) tests/one $(network) $< $(test_args)
tests/integration/enclave-test.run: test_args := $(B)/nodeagent/casemate-nodeagent $(ENCLAVE) charts/casemate
run-programs: network := --own-network
# They fetch something.
tests/integration/grpc-test.run tests/integration/rego-test.run: network :=
check-cluster: all image peers $(PUT_KEY)
	$(call lanes,$(LANES),run-cluster)
run-cluster: $(CLUSTER_TESTS:=.run)
# Each on a cluster of its own, named after it.
$(CLUSTER_TESTS:=.run): %.run: %
	$(Q)CLUSTER=$(if $(CLUSTER),$(CLUSTER)-)$(patsubst %-test,%,$(if $(findstring chart/,$*),chart,$(*F))) tests/one $<
check-failover: all image bench-bins
	tests/cluster/failover-test
cluster-up:
	tests/cluster/up
cluster-down:
	tests/cluster/down
test:
	tests/run
demo:
	tests/demo
demo-down: cluster-down
compile_commands.json:
	$(Q)$(MAKE) CC=clang compdb
compdb: $(OBJS)
	$(Q){ echo '['; cat $(OBJS:.o=.json) | sed '$$s/,$$//'; echo ']'; } >compile_commands.json
install: $(BINS)
	$(INSTALL) -d $(DESTDIR)$(BINDIR)
	$(INSTALL) -m 0755 $(BINS) $(DESTDIR)$(BINDIR)
headers: $(GEN_H) # each header compiles alone
	$(Q)for h in $$(find common webhook nodeagent tests -name '*.h' 2>/dev/null); do \
		printf '#include "%s"\n' $$h | $(CC) $(cppflags) $(cflags) -Werror -fsyntax-only -x c - || exit 1; done
# Includes run only downwards: FOLDER may include the rooms named, and nothing else of ours.
room = ! grep -rnE '^\#include "(common|webhook|nodeagent)/' $(1) --include='*.[ch]' 2>/dev/null | grep -vE '\#include "($(2))/'
arrows:
	$(Q)$(call room,common/base,common/base)
	$(Q)$(call room,common/tee,common/(base|tee))
	$(Q)$(call room,common/kbs,common/(base|tee|kbs))
	$(Q)$(call room,common/observe,common/(base|observe))
	$(Q)$(call room,common/net,common/(base|observe|net))
	$(Q)$(call room,common/kube,common/(base|observe|net|kube))
	$(Q)$(call room,webhook,common|webhook)
	$(Q)$(call room,nodeagent,common|nodeagent)
	$(Q)$(call room,nodeagent/exec,common/(base|kbs|tee)|nodeagent/exec)
scripts = $(shell git ls-files -c -o --exclude-standard | xargs grep -lE '^\#!/bin/bash' 2>/dev/null)
lint: arrows headers compile_commands.json
	shellcheck -S warning -x -P SCRIPTDIR $(scripts)
	@printf '%s\n' $(OBJS:$(B)/%.o=%.c) | xargs -P 2 -n 8 clang-tidy --quiet -p . 2>$(B)/tidy.log || \
		{ grep -v ' warnings\? generated' $(B)/tidy.log; exit 1; }
	@# Off: cppcheck 2.10 knows no cleanup attributes, and no macros among a macro's arguments (gcc
	@# checks formats). Folders are given: it does not understand those of compile_commands.json. It
	@# tries what protobuf-c's headers refuse: a version of none.
	cppcheck --quiet -j 2 -I. -I$(B)/gen -D_GNU_SOURCE -DPROTOBUF_C_VERSION_NUMBER=1004001 \
		--library=posix --enable=warning,portability \
		--inline-suppr --suppress=memleak --suppress=resourceLeak --suppress=wrongPrintfScanfArgNum \
		--error-exitcode=1 $(OBJS:$(B)/%.o=%.c)
format:
	clang-format -i $$(git ls-files '*.c' '*.h')
deps:
	apt-get update
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $$(sed 's/\#.*//' packages.txt)
clean:
	$(RM) -r $(BUILD) compile_commands.json
.PHONY: all help check-malleability check-durability check-vault run-vault check-failover check-rotation bench bench-fleet image manifests check-chart run-chart check-image check-programs run-programs check-cluster run-cluster cluster-up cluster-down test demo demo-down unit check run-unit $(UNIT_RUNS) check-san check-tsan fuzz run-fuzz bench-bins peers compdb install headers arrows lint format deps clean \
	compile_commands.json

-include $(wildcard $(OBJS:.o=.d) $(GEN_H:.h=.d) \
	$(foreach p,$(PARTS),$(patsubst %.S,$(B)/%.d,$(call asm,$(p)))))
