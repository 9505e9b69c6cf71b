# Golden numbers of the General Preference Model's variants: make_gpm_variants.py OUT (torch, safetensors).
#
# Formulas as in github:general-preference/general-preference-model, general_preference/models/loss.py, and
# arXiv 2410.02197, appendix A; written anew. Inputs are random numbers.
import sys
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.manual_seed(11)
out = {}
P, K, H = 6, 3, 5
scores = torch.randn(P, dtype=torch.float64)
margins = torch.rand(P, dtype=torch.float64) * 0.4
labels = torch.rand(P, dtype=torch.float64)
out |= {"scores": scores, "margins": margins, "labels": labels}


def case(name, loss, **inputs):
    loss.backward()
    out[f"{name}.loss"] = loss.detach().reshape(1)
    for key, value in inputs.items():
        out[f"{name}.grad.{key}"] = value.grad.detach()


def leaf(x):
    return x.clone().requires_grad_(True)


# Soft labels, margins and label smoothing in the logistic loss (eq. A.1), tau 0.1.
s = leaf(scores)
z = (s - margins) / 0.1
t = labels * 0.9 + (1 - labels) * 0.1
case("soft", -(t * F.logsigmoid(z) + (1 - t) * F.logsigmoid(-z)).mean(), scores=s)
# Learnable tau.
for name, raw in (("learnable", -2.25), ("learnable_floor", -9.0)):
    s, rho = leaf(scores), leaf(torch.tensor([raw], dtype=torch.float64))
    tau = torch.clamp(F.softplus(rho), min=1e-2)
    case(name, -F.logsigmoid(s / tau).mean(), scores=s, tau=rho)
# Regressions.
for name, target in (
    ("regression_constant", torch.full_like(scores, 10.0)),
    ("regression_sigmoid", 5 * torch.sigmoid(margins)),
    ("regression_margin", margins / 0.1),
    ("regression_label", torch.logit(labels.clamp(1e-3, 1 - 1e-3))),
):
    s = leaf(scores)
    case(name, (0.5 * (s / 0.1 - target) ** 2).mean(), scores=s)
    out[f"{name}.targets"] = target
# The gate with the rescale of the published HEAD: softmax(W h / sqrt(H)) * k.
v, w = torch.randn(P, 2 * K, dtype=torch.float64), torch.randn(P, 2 * K, dtype=torch.float64)
logits = torch.randn(P, K, dtype=torch.float64) * 3
out |= {"gate.chosen": v, "gate.rejected": w, "gate.logits": logits}
a, b, g = leaf(v), leaf(w), leaf(logits)
R = torch.zeros(P, 2 * K, 2 * K, dtype=torch.float64)
weights = torch.softmax(g / H**0.5, dim=-1) * K
for l in range(K):
    R[:, 2 * l, 2 * l + 1] = -weights[:, l]
    R[:, 2 * l + 1, 2 * l] = weights[:, l]
score = torch.einsum("pi,pji,pj->p", a, R, b)
out["gate.score"] = score.detach()
case("gate", -F.logsigmoid(score / 0.1).mean(), chosen=a, rejected=b, logits=g)
# Language modelling beside the preference loss, on sequences of 4, 2 and 7 tokens.
lengths = [4, 2, 7]
lp = -torch.rand(13, dtype=torch.float64) * 0.3
out["lm.logprobs"] = lp
for name in ("sum", "mean", "nll"):
    x = leaf(lp)
    parts = torch.split(x, lengths)
    if name == "sum":
        loss = -F.logsigmoid(2.0 * torch.stack([p.sum() for p in parts])).mean()
    elif name == "mean":
        loss = -F.logsigmoid(2.0 * torch.stack([p.mean() for p in parts])).mean()
    else:
        loss = -torch.stack([p.mean() for p in parts]).mean()
    case(f"lm.{name}", loss, logprobs=x)
save_file({k: x.to(torch.float32).contiguous() for k, x in out.items()}, f"{sys.argv[1]}/gpm_variants.safetensors")
