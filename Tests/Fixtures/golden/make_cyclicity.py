# Golden numbers of the cyclicity tools, with numpy and SciPy (numpy 2.4.6, scipy 1.17.1):
#
#   make_cyclicity.py examples/data/tournament-vicuna80.jsonl.zst Tests/Fixtures/golden
#
# hodge.json: weighted least squares with numpy's lstsq. tournament.json: fits of the vicuna80 verdicts,
# Bradley-Terry and a skew embedding of one plane (penalty 0.1), Davidson's ties (penalty 0.01), each with
# a first-place term, and the decomposition of the pooled log-odds.
import itertools, json, subprocess, sys

import numpy as np
from scipy.optimize import minimize

def decompose(Y, W):
    n=len(Y); E=[(i,j) for i in range(n) for j in range(i+1,n) if W[i][j]>0]
    y=np.array([Y[i][j] for i,j in E]); w=np.array([W[i][j] for i,j in E]); s=np.sqrt(w)
    G=np.zeros((len(E),n))
    for k,(i,j) in enumerate(E): G[k,i]=1; G[k,j]=-1
    r=np.linalg.lstsq(G*s[:,None], y*s, rcond=None)[0]
    grad=G@r; R=y-grad
    T=[t for t in itertools.combinations(range(n),3) if all(W[a][b]>0 for a,b in itertools.combinations(t,2))]
    C=np.zeros((len(E),max(1,len(T))))
    ix={e:k for k,e in enumerate(E)}
    for t,(a,b,c) in enumerate(T):
        C[ix[(a,b)],t]=1/w[ix[(a,b)]]; C[ix[(b,c)],t]=1/w[ix[(b,c)]]; C[ix[(a,c)],t]=-1/w[ix[(a,c)]]
    phi=np.linalg.lstsq(C*s[:,None], R*s, rcond=None)[0]
    curl=C@phi; harm=R-curl
    e=lambda v: float((w*v*v).sum())
    return dict(flow=Y,weights=W,ratings=(r-r.mean()).tolist(),edges=E,gradient=grad.tolist(),curl=curl.tolist(),harmonic=harm.tolist(),
      energy=dict(total=e(y),gradient=e(grad),curl=e(curl),harmonic=e(harm)))
rng=np.random.default_rng(4)
def case(n,drop):
    Y=np.zeros((n,n));W=np.zeros((n,n))
    for i in range(n):
        for j in range(i+1,n):
            Y[i][j]=round(float(rng.normal()*2),3);Y[j][i]=-Y[i][j]
            W[i][j]=W[j][i]=0 if (i,j) in drop else float(rng.integers(1,9))
    return decompose(Y.tolist(),W.tolist())
cases=[case(3,[]),case(5,[]),case(7,[(0,3),(1,4),(2,6),(1,2)])]
# A ring of six without chords: no triangle, so everything cyclic is harmonic.
ring=[(i,j) for i in range(6) for j in range(i+1,6) if not (j==i+1 or (i==0 and j==5))]
cases.append(case(6,ring))
# A ring of five with one triangle on it.
cases.append(case(6,[e for e in ring if e!=(0,2)]))
json.dump(dict(cases=cases),open(f'{sys.argv[2]}/hodge.json','w'),indent=0)

rows=[json.loads(l) for l in subprocess.run(['zstdcat',sys.argv[1]],capture_output=True,text=True).stdout.splitlines()]
sys_names=sorted({c['first'] for r in rows for c in r['comparisons']}|{c['second'] for r in rows for c in r['comparisons']})
ix={s:k for k,s in enumerate(sys_names)}
F=[];S=[];P=[]
for r in rows:
    for c in r['comparisons']:
        F.append(ix[c['first']]);S.append(ix[c['second']]);P.append({0:.5,1:1.,2:0.}[c['winner']])
F=np.array(F);S=np.array(S);P=np.array(P);n=len(sys_names)
sp=lambda x: np.logaddexp(0,x)
def bt(x):
    z=x[1:][F]-x[1:][S]+x[0]
    g=1/(1+np.exp(-z))-P
    G=np.zeros(n+1);G[0]=g.sum();np.add.at(G,F+1,g);np.add.at(G,S+1,-g);G[1:]+=.1*x[1:]
    return (P*sp(-z)+(1-P)*sp(z)).sum()+.05*(x[1:]**2).sum(),G
b=minimize(bt,np.zeros(n+1),jac=True,method='BFGS',options=dict(gtol=1e-7))
def skew(x):
    v=x[1:].reshape(n,2)
    z=v[F,0]*v[S,1]-v[F,1]*v[S,0]+x[0]
    g=1/(1+np.exp(-z))-P
    G=np.zeros((n,2))
    np.add.at(G[:,0],F,g*v[S,1]);np.add.at(G[:,1],F,-g*v[S,0]);np.add.at(G[:,1],S,g*v[F,0]);np.add.at(G[:,0],S,-g*v[F,1])
    G+=.1*v
    return (P*sp(-z)+(1-P)*sp(z)).sum()+.05*(v**2).sum(),np.concatenate([[g.sum()],G.ravel()])
rng=np.random.default_rng(0);best=None
for t in range(12):
    o=minimize(skew,np.concatenate([[0],rng.normal(size=2*n)*.5]),jac=True,method='BFGS',options=dict(gtol=1e-7,maxiter=4000))
    if best is None or o.fun<best.fun: best=o
v=best.x[1:].reshape(n,2); m=np.outer(v[:,0],v[:,1]);m=m-m.T
def dav(x):
    r=x[2:];z=r[F]-r[S]+x[0];t=x[1]
    L=np.logaddexp(np.logaddexp(z/2,-z/2),t)
    lp=np.where(P==1,z/2,np.where(P==0,-z/2,t))-L
    return -lp.sum()+.005*(r**2).sum()
d=minimize(dav,np.zeros(n+2),method='BFGS',options=dict(gtol=1e-5))
p=np.zeros((n,n))
for f,s,q in zip(F,S,P): p[f,s]+=q;p[s,f]+=1-q
Y=np.where(p+p.T>0,np.log((p+.5)/(p.T+.5)),0);W=p+p.T
h=decompose(Y.tolist(),W.tolist())
out=dict(systems=sys_names,bt=dict(place=b.x[0],ratings=b.x[1:].tolist(),value=b.fun),
 skew=dict(place=best.x[0],table=m.tolist(),value=best.fun),
 davidson=dict(place=d.x[0],log_tie=d.x[1],ratings=d.x[2:].tolist(),value=d.fun),
 hodge=dict(energy=h['energy'],ratings=h['ratings']))
json.dump(out,open(f'{sys.argv[2]}/tournament.json','w'),indent=0)
