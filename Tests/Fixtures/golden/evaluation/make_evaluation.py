"""Writes evaluation.json: calibration, temperature, style and consistency by NumPy and SciPy.

    python make_evaluation.py OUT.json --seed N

Needs numpy and scipy. What is stored here is seed 0; another seed gives fresh cases.
"""
import argparse, collections, json, re
import numpy as np
from scipy.optimize import brentq, minimize
from scipy.special import expit
from scipy.stats import entropy

parser = argparse.ArgumentParser()
parser.add_argument("out")
parser.add_argument("--seed", type=int, default=0)
arguments = parser.parse_args()
rng = np.random.default_rng(arguments.seed)
softplus = lambda x: np.logaddexp(0, x)


# ---- calibration: both orders of every pair, bins of equal width and of equal mass
def both_orders(z, y):
    p = expit(z)
    return np.concatenate([p, expit(-z)]), np.concatenate([y, 1 - y])


def equal_width(p, y, bins):
    b = np.minimum((p * bins).astype(int), bins - 1)
    gaps = [(abs(y[b == k].mean() - p[b == k].mean()), (b == k).sum()) for k in range(bins) if (b == k).any()]
    sizes = np.array([n for _, n in gaps]); gaps = np.array([g for g, _ in gaps])
    return float((gaps * sizes).sum() / len(p)), float(gaps.max()), float(gaps.mean())


def equal_mass(p, y, bins):
    mean = {v: y[p == v].mean() for v in np.unique(p)}          # ties count with their mean outcome
    order = np.argsort(p, kind="stable"); p = p[order]; y = np.array([mean[v] for v in p])
    return float(sum(abs((y[i] - p[i]).sum()) for i in np.array_split(np.arange(len(p)), bins)) / len(p))


calibration = []
for count, scale in [(120, 2.0), (37, 0.3), (3, 1.0)]:
    z = np.round(rng.normal(size=count) * scale, 1 if count == 37 else 5)         # coarse rounding makes ties
    z[0] = 0.0
    y = (rng.random(count) < expit(0.6 * z)).astype(float)
    p, o = both_orders(z, y)
    case = {"log_odds": z.tolist(), "first_preferred": y.astype(int).tolist(), "bins": []}
    for bins in (5, 10, 20):
        ece, mce, ace = equal_width(p, o, bins)
        case["bins"].append({"count": bins, "ece": ece, "mce": mce, "ace": ace, "adaptive_ece": equal_mass(p, o, bins)})
    calibration.append(case)

# ---- temperature: the root of the derivative by beta = 1/T, by Brent's method
temperature = []
for count, factor in [(120, 3.0), (60, 0.4), (40, 1e-3), (40, 1e4)]:
    true = rng.normal(size=count) * 1.5
    m = np.round(np.where(rng.random(count) < expit(true), true, -true), 4) * factor  # log-odds of what was chosen
    slope = lambda b: -(m * expit(-b * m)).mean()
    beta = brentq(slope, 0, 1e3 / factor, xtol=1e-300, rtol=1e-14)
    temperature.append({"log_odds": m.tolist(), "temperature": 1 / beta, "nll": float(softplus(-beta * m).mean())})


# ---- logistic regression without intercept, with a ridge
def fit(x, y, ridge):
    s = np.where(y, 1.0, -1.0)
    f = lambda w: softplus(-s * (x @ w)).mean() + ridge / 2 * w @ w
    g = lambda w: -(x * (s * expit(-s * (x @ w)))[:, None]).mean(0) + ridge * w
    return minimize(f, np.zeros(x.shape[1]), jac=g, method="BFGS", options={"gtol": 1e-11, "maxiter": 10000}).x


regression = []
for count, width, ridge in [(80, 4, 1e-4), (40, 2, 0.1), (12, 3, 1e-4)]:
    x = np.round(rng.normal(size=(count, width)), 4); w = rng.normal(size=width)
    y = rng.random(count) < expit(x @ w) if count > 12 else x @ w > 0             # the last can be separated
    regression.append({"rows": x.tolist(), "outcomes": y.astype(int).tolist(), "ridge": ridge,
                       "weights": fit(x, y, ridge).tolist(), "separated": count == 12})

# ---- style control and phi
features = ["length", "lists", "headers", "bold"]


def pairs(count):
    z = np.stack([rng.poisson([70, 2, 0.5, 0] if k else [75, 3, 0.5, 0], size=(count, 4)) for k in (0, 1)])
    z[:, :, 0] += 1
    odds = np.round(rng.normal(size=count) * 2 + 0.3 + (z[0, :, 0] - z[1, :, 0]) / 60, 4)
    odds[:2] = 0
    return z, odds


def contrasts(z):
    total = z[0] + z[1]
    return np.divide(z[0] - z[1], total, out=np.zeros(z[0].shape), where=total > 0)


def rms(x):
    r = np.sqrt((x ** 2).mean(0))
    return np.where(r > 0, r, 1)


(zf, df), (zt, dt) = pairs(80), pairs(40)
scales, unit = rms(contrasts(zf)), rms(df)
w = fit(np.column_stack([df / unit, contrasts(zf) / scales]), np.ones(len(df), bool), 1e-4)
alone = fit((df / unit)[:, None], np.ones(len(df), bool), 1e-4)
style = {"features": features,
         "fit": {"log_odds": df.tolist(), "chosen": zf[0].tolist(), "rejected": zf[1].tolist()},
         "test": {"log_odds": dt.tolist(), "chosen": zt[0].tolist(), "rejected": zt[1].tolist()},
         "alpha": float(w[0] / unit), "beta": w[1:].tolist(), "scales": scales.tolist(), "alpha_alone": float(alone[0] / unit),
         "controlled": (dt * w[0] / unit + contrasts(zt) / scales @ w[1:]).tolist(), "phi": {}}
for k, name in enumerate(features[:3]):
    s = zt[0, :, k] - zt[1, :, k]
    def phi(first):                                                               # the correlation of two binary variables
        keep = (s != 0) & (first != 0)
        a, b = (s > 0)[keep], (first > 0)[keep]
        return float(np.corrcoef(np.concatenate([a, ~a]), np.concatenate([b, ~b]))[0, 1])
    style["phi"][name] = {"prediction": phi(dt), "label": phi(np.ones(len(dt))), "pairs": int((s != 0).sum())}
tables = rng.integers(0, 30, size=(4, 4)).tolist()
style["tables"] = []
for n11, n10, n01, n00 in tables:
    a = [1] * (n11 + n10) + [0] * (n01 + n00); b = [1] * n11 + [0] * n10 + [1] * n01 + [0] * n00
    style["tables"].append({"counts": [n11, n10, n01, n00], "phi": float(np.corrcoef(a, b)[0, 1])})

# ---- Markdown, by LMArena's regular expressions
texts = ["", "plain words", "# One\n## Two\n####### seven\n#none\n # indented\n", "- a\n* b\n+ c\n  - d\n-e\n1. one\n12. two\n3.three\n",
         "**bold** and __bold__ and ** not** bold ****\n**over\nlines**", "***both*** **a** b **c** **d***", "`code` ```\n# no\n- no **no**\n```\n# yes\n- yes",
         "```unclosed\n# yes\n- yes", "a - b\n\n\n   - after blanks\n-\n- \n*\tstar", "1. **Title:** text\n2. **Title:** text\n\n---\n***\n__init__ __x",
         "\r\n- crlf\r\n## crlf\r\n", "é **ü** \u2022 bullet\n\u2014 dash\n", "#\n# ", "````\n# four\n````\n# after", "```a``b```- x\n```\n```\n- y"]
markdown = []
for text in texts:
    t = re.sub(r"```([^`]*)```", "``````", text)
    count = lambda pattern: len(re.findall(pattern, t, re.MULTILINE))
    markdown.append({"text": text, "lists": count(r"^\s*[-*+]\s") + count(r"^\s*\d+\.\s"), "headers": count(r"^#{1,6}\s"),
                     "bold": count(r"\*\*[^*\n]+\*\*") + count(r"__[^_\n]+__")})

# ---- sample consistency (arXiv 2402.13904)
rows = []
for _ in range(40):
    k = rng.integers(1, 6); n = int(rng.integers(1, 21))
    names = ["A", "B", "C", "D", "[invalid]"][:k] if rng.random() < 0.7 else ["A", "[invalid]"]
    samples = rng.choice(names, size=n, p=rng.dirichlet(np.ones(len(names)) * 0.7)).tolist()
    answer = str(rng.choice(["A", "B"]))
    counts = collections.Counter(samples)
    if len(counts) > 1: counts.pop("[invalid]", None)
    top = counts.most_common()
    f = np.array([c for _, c in top])
    rows.append({"samples": samples, "answer": answer, "majority": top[0][0], "agreement": f[0] / n,
                 "entropy": 1.0 if len(f) == 1 else float(1 - entropy(f / f.sum(), base=2) / np.log2(len(f))),
                 "fsd": 1.0 if len(f) == 1 else (f[0] - f[1]) / n})
hit = np.array([r["majority"] == r["answer"] for r in rows], float)
consistency = {"rows": rows, "accuracy": float(hit.mean()), "measures": {}}
for name in ("agreement", "entropy", "fsd"):
    c = np.array([r[name] for r in rows])
    consistency["measures"][name] = {"ece": equal_width(np.clip(c, 0, 1), hit, 10)[0], "brier": float(((c - hit) ** 2).mean()), "mean": float(c.mean())}

with open(arguments.out, "w") as file:
    json.dump({"calibration": calibration, "temperature": temperature, "regression": regression, "style": style,
               "markdown": markdown, "consistency": consistency}, file)
