package kubernetes

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/cel-go/cel"
	admission "k8s.io/api/admission/v1"
	admissionregistration "k8s.io/api/admissionregistration/v1"
	authentication "k8s.io/api/authentication/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/version"
	apiserver "k8s.io/apiserver/pkg/admission"
	plugin "k8s.io/apiserver/pkg/admission/plugin/cel"
	costs "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"
)

// expression is one CEL expression for the compiler of kube-apiserver.
type expression struct {
	name, text string
	returns    *cel.Type
}

func (e expression) GetName() string          { return e.name }
func (e expression) GetExpression() string    { return e.text }
func (e expression) ReturnTypes() []*cel.Type { return []*cel.Type{e.returns} }

// compiled is an admission policy, compiled as kube-apiserver does it.
type compiled struct {
	compiler                          *plugin.CompositedCompiler
	conditions, validations, messages plugin.ConditionEvaluator
	spec                              admissionregistration.ValidatingAdmissionPolicySpec
}

// admissionPolicy compiles the policy of a name with what Kubernetes 1.30 has.
func admissionPolicy(t *testing.T, objects []meta.Object, name string) *compiled {
	t.Helper()
	spec := named[*admissionregistration.ValidatingAdmissionPolicy](t, objects, name).Spec
	compiler, err := plugin.NewCompositedCompiler(environment.MustBaseEnvSet(version.MajorMinor(1, 30)))
	if err != nil {
		t.Fatal(err)
	}
	none := plugin.OptionalVariableDeclarations{}
	for _, v := range spec.Variables {
		result := compiler.CompileAndStoreVariable(expression{v.Name, v.Expression, cel.AnyType}, none, environment.NewExpressions)
		if result.Error != nil {
			t.Fatalf("%s: variable %s: %v", name, v.Name, result.Error)
		}
	}
	compile := func(texts []string, returns *cel.Type) plugin.ConditionEvaluator {
		expressions := make([]plugin.ExpressionAccessor, len(texts))
		for i, text := range texts {
			expressions[i] = expression{"", text, returns}
		}
		evaluator := compiler.CompileCondition(expressions, none, environment.NewExpressions)
		if errs := evaluator.CompilationErrors(); len(errs) > 0 {
			t.Fatalf("%s: %v", name, errs)
		}
		return evaluator
	}
	var conditions, validations, messages []string
	for _, c := range spec.MatchConditions {
		conditions = append(conditions, c.Expression)
	}
	for _, v := range spec.Validations {
		validations = append(validations, v.Expression)
		messages = append(messages, messageOf(v))
	}
	return &compiled{compiler, compile(conditions, cel.BoolType), compile(validations, cel.BoolType), compile(messages, cel.StringType), spec}
}

// messageOf returns the expression of a validation's message.
func messageOf(v admissionregistration.Validation) string {
	if v.MessageExpression != "" {
		return v.MessageExpression
	}
	return fmt.Sprintf("%q", v.Message)
}

// review returns why the policy refuses a pod in a namespace: nothing if it
// doesn't.
func (c *compiled) review(t *testing.T, namespace string, spec core.PodSpec) (refused []string) {
	t.Helper()
	return c.reviewFor(t, authentication.UserInfo{Username: "dev", Groups: []string{"system:authenticated"}}, namespace, spec)
}

// reviewFor is review for a pod that a certain user creates.
func (c *compiled) reviewFor(t *testing.T, user authentication.UserInfo, namespace string, spec core.PodSpec) (refused []string) {
	t.Helper()
	pod := &core.Pod{ObjectMeta: meta.ObjectMeta{Name: "pod", Namespace: namespace}, Spec: spec}
	kind := core.SchemeGroupVersion.WithKind("Pod")
	resource := core.SchemeGroupVersion.WithResource("pods")
	attributes := apiserver.NewAttributesRecord(pod, nil, kind, namespace, pod.Name, resource, "", apiserver.Create, nil, false, nil)
	versioned := &apiserver.VersionedAttributes{Attributes: attributes, VersionedKind: kind}
	versioned.VersionedObject.Set(pod)
	request := &admission.AdmissionRequest{Namespace: namespace, Name: pod.Name, Operation: admission.Create, UserInfo: user}
	evaluate := func(e plugin.ConditionEvaluator) []plugin.EvaluationResult {
		results, _, err := e.ForInput(c.compiler.CreateContext(t.Context()), versioned, request, plugin.OptionalVariableBindings{},
			&core.Namespace{ObjectMeta: meta.ObjectMeta{Name: namespace}}, costs.RuntimeCELCostBudget)
		if err != nil {
			t.Fatal(err)
		}
		for _, result := range results {
			if result.Error != nil {
				t.Fatal(result.Error)
			}
		}
		return results
	}
	for _, condition := range evaluate(c.conditions) {
		if condition.EvalResult.Value() != true {
			return nil
		}
	}
	messages := evaluate(c.messages)
	for i, validation := range evaluate(c.validations) {
		if validation.EvalResult.Value() != true {
			refused = append(refused, messages[i].EvalResult.Value().(string))
		}
	}
	return refused
}

// hostPath returns a pod that mounts a directory of the node.
func hostPath(directory, account string, readOnly bool) core.PodSpec {
	return core.PodSpec{
		ServiceAccountName: account,
		Containers:         []core.Container{{Name: "c", VolumeMounts: []core.VolumeMount{{Name: "v", MountPath: "/v", ReadOnly: readOnly}}}},
		Volumes: []core.Volume{
			{Name: "other", VolumeSource: core.VolumeSource{EmptyDir: &core.EmptyDirVolumeSource{}}},
			{Name: "v", VolumeSource: core.VolumeSource{HostPath: &core.HostPathVolumeSource{Path: directory}}},
		},
	}
}

// TestOnlyItsPodsMountASocket asks the admission policy about pods that mount
// directories of the node.
func TestOnlyItsPodsMountASocket(t *testing.T) {
	for _, s := range sites(t) {
		policy := admissionPolicy(t, s.objects, "assertd-sockets")
		if refused := policy.review(t, "payments", workload(t).Spec); len(refused) > 0 {
			t.Errorf("%s: the example workload is refused: %q", s.name, refused)
		}
		for _, c := range []struct {
			namespace, account, directory string
			readOnly, allowed             bool
		}{
			{"payments", "payments-api", "/run/assertd/payments-api", true, true},
			{"payments", "payments-api", "/run/assertd/payments-api", false, false},
			{"payments", "default", "/run/assertd/payments-api", true, false},
			{"payments", "", "/run/assertd/payments-api", true, false},
			{"evil", "payments-api", "/run/assertd/payments-api", true, false},
			{"payments", "payments-api", "/run/assertd/reports", true, false},
			{"payments", "payments-api", "/run/assertd", true, false},
			{"payments", "payments-api", "/run/assertd/payments-api/", true, false},
			{"evil", "default", "/var/run/assertd/payments-api", true, false},
			{"evil", "default", "//run/./assertd//payments-api", true, false},
			{"evil", "default", "/run/assertd/.", true, false},
			{"evil", "default", "/var/lib/assertd", true, false},
			{"evil", "default", "/var/log/assertd/audit.jsonl", true, false},
			// Agents on the node mount more, in namespaces that Pod Security lets.
			{"monitoring", "node-exporter", "/", true, true},
			{"monitoring", "node-exporter", "/run/assertd-other", false, true},
		} {
			refused := policy.review(t, c.namespace, hostPath(c.directory, c.account, c.readOnly))
			if (len(refused) == 0) != c.allowed {
				t.Errorf("%s: %s/%s, %s, readOnly %v: refused: %q", s.name, c.namespace, c.account, c.directory, c.readOnly, refused)
			}
		}
		if refused := policy.review(t, "evil", core.PodSpec{Containers: []core.Container{{Name: "c"}}}); len(refused) > 0 {
			t.Errorf("%s: a pod without volumes is refused: %q", s.name, refused)
		}
	}
}

// TestStaticPodsAreReported checks that a kubelet may report the static pod of
// a kube-apiserver that has its tokens signed by assertd.
func TestStaticPodsAreReported(t *testing.T) {
	kubelet := authentication.UserInfo{Username: "system:node:n1", Groups: []string{"system:nodes", "system:authenticated"}}
	for _, s := range sites(t) {
		for _, name := range []string{"assertd-sockets", "assertd-workloads"} {
			policy := admissionPolicy(t, s.objects, name)
			pod := hostPath("/run/assertd/kubernetes", "", true)
			pod.HostNetwork = true
			if refused := policy.reviewFor(t, kubelet, "kube-system", pod); len(refused) > 0 {
				t.Errorf("%s: %s refuses the kubelet: %q", s.name, name, refused)
			}
			if refused := policy.reviewFor(t, authentication.UserInfo{}, "kube-system", pod); len(refused) == 0 {
				t.Errorf("%s: %s lets others mount the signer's socket", s.name, name)
			}
		}
	}
}

// TestRefusalNamesTheRemedy checks what people read when a pod is refused.
func TestRefusalNamesTheRemedy(t *testing.T) {
	for _, s := range sites(t) {
		policy := admissionPolicy(t, s.objects, "assertd-sockets")
		got := strings.Join(policy.review(t, "payments", hostPath("/run/assertd/reports", "payments-api", true)), "")
		want := "payments/payments-api can mount nothing of assertd but the socket directory of its own workload; " +
			"add it to the workloads of assertd, or mount that directory"
		if got != want {
			t.Errorf("%s: %q", s.name, got)
		}
	}
}

// TestWorkloadNamespaceIsClosed asks the policy for namespaces that must allow
// hostPath about what else leads to the node.
func TestWorkloadNamespaceIsClosed(t *testing.T) {
	policies := make(map[string]*compiled)
	for _, s := range sites(t) {
		policies[s.name] = admissionPolicy(t, s.objects, "assertd-workloads")
	}
	yes := true
	socket := func(change func(*core.PodSpec, *core.SecurityContext)) core.PodSpec {
		pod := hostPath("/run/assertd/payments-api", "payments-api", true)
		pod.InitContainers = []core.Container{{Name: "init", SecurityContext: &core.SecurityContext{}}}
		change(&pod, pod.InitContainers[0].SecurityContext)
		return pod
	}
	for name, c := range map[string]struct {
		pod     core.PodSpec
		allowed bool
	}{
		"the example": {workload(t).Spec, true},
		"a socket":    {socket(func(*core.PodSpec, *core.SecurityContext) {}), true},
		"no volumes":  {core.PodSpec{Containers: []core.Container{{Name: "c"}}}, true},
		"an allowed capability": {socket(func(_ *core.PodSpec, s *core.SecurityContext) {
			s.Capabilities = &core.Capabilities{Add: []core.Capability{"NET_BIND_SERVICE"}}
		}), true},
		"the root directory":   {hostPath("/", "payments-api", true), false},
		"the runtime's socket": {hostPath("/run/containerd", "payments-api", true), false},
		"the parent of all":    {hostPath("/run/assertd", "payments-api", true), false},
		"hostNetwork":          {socket(func(p *core.PodSpec, _ *core.SecurityContext) { p.HostNetwork = true }), false},
		"hostPID":              {socket(func(p *core.PodSpec, _ *core.SecurityContext) { p.HostPID = true }), false},
		"hostIPC":              {socket(func(p *core.PodSpec, _ *core.SecurityContext) { p.HostIPC = true }), false},
		"privileged":           {socket(func(_ *core.PodSpec, s *core.SecurityContext) { s.Privileged = &yes }), false},
		"a capability": {socket(func(_ *core.PodSpec, s *core.SecurityContext) {
			s.Capabilities = &core.Capabilities{Add: []core.Capability{"SYS_ADMIN"}}
		}), false},
		"an ephemeral container": {socket(func(p *core.PodSpec, _ *core.SecurityContext) {
			p.EphemeralContainers = []core.EphemeralContainer{{EphemeralContainerCommon: core.EphemeralContainerCommon{
				Name: "debug", SecurityContext: &core.SecurityContext{Privileged: &yes},
			}}}
		}), false},
	} {
		for deployment, policy := range policies {
			if refused := policy.review(t, "payments", c.pod); (len(refused) == 0) != c.allowed {
				t.Errorf("%s: %s: refused: %q", deployment, name, refused)
			}
		}
	}
}

// TestAdmissionPoliciesAreBound checks that each policy has a binding that
// denies, and that neither depends on anything that can be missing.
func TestAdmissionPoliciesAreBound(t *testing.T) {
	for _, s := range sites(t) {
		for _, policy := range all[*admissionregistration.ValidatingAdmissionPolicy](s.objects) {
			binding := named[*admissionregistration.ValidatingAdmissionPolicyBinding](t, s.objects, policy.Name).Spec
			if binding.PolicyName != policy.Name || len(binding.ValidationActions) != 1 || binding.ValidationActions[0] != admissionregistration.Deny {
				t.Errorf("%s: %s is not bound: %+v", s.name, policy.Name, binding)
			}
			if policy.Spec.ParamKind != nil || binding.ParamRef != nil {
				t.Errorf("%s: no pod starts if the parameters of %s are missing", s.name, policy.Name)
			}
			if *policy.Spec.FailurePolicy != admissionregistration.Fail {
				t.Errorf("%s: %s lets pods through that it can't judge", s.name, policy.Name)
			}
		}
	}
}
