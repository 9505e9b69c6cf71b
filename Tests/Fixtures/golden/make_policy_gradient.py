# Losses, gradients, advantages and metrics of GRPO and RLOO from TRL's own `_compute_loss` (trl 0.24.0), the model
# replaced by given log-probabilities. Usage: python make_policy_gradient.py > policy_gradient.json
import json
import torch
from types import SimpleNamespace as NS
from collections import defaultdict
from trl.trainer.grpo_trainer import GRPOTrainer
from trl.trainer.rloo_trainer import RLOOTrainer
torch.manual_seed(0)
lengths=[3,5,2,4,1,5]; K=3; L=5
B=len(lengths)
mask=torch.zeros(B,L)
for i,l in enumerate(lengths): mask[i,:l]=1
r=lambda s: torch.round(torch.randn(B,L)*s*1000)/1000
old=-torch.abs(r(1.0))-0.1
new=(old+r(0.25)).requires_grad_()
ref=old.detach()+r(0.3)
rewards=torch.tensor([1.0,-0.5,2.0, 0.25,0.25,0.25])
class Acc:
    def gather(self,x): return x.reshape(-1)
def mock(cls,**kw):
    m=NS(model=None,accelerator=Acc(),_metrics={"train":defaultdict(list)},top_entropy_quantile=1.0,use_vllm=False,
      current_gradient_accumulation_steps=1,max_completion_length=8,epsilon_low=0.2,epsilon_high=0.2,**kw)
    m._get_per_token_logps_and_entropies=lambda *a,**k:(new,torch.zeros_like(new))
    return m
model=NS(training=True)
def flat(t): return [round(float(x), 7) for i, l in enumerate(lengths) for x in t.detach()[i, :l]]
g=rewards.view(-1,K)
adv={}
d=(rewards-g.mean(1).repeat_interleave(K))
adv["group"]=d/(g.std(1).repeat_interleave(K)+1e-4)
adv["none"]=d
adv["batch"]=d/(rewards.std()+1e-4)
adv["loo"]=rewards-((g.sum(1,keepdim=True)-g)/(K-1)).view(-1)
n=(adv["loo"]-adv["loo"].mean())/(adv["loo"].std()+1e-4)
out={"lengths":lengths,"old":flat(old),"new":flat(new),"ref":flat(ref),"rewards":rewards.tolist()}
for k,v in adv.items(): out["adv."+k]=[round(float(x),7) for x in v]
out["adv.loo_normalized"]=[round(float(x),7) for x in n]
for lt,level,key in [("grpo","token","token_sequence"),("bnpo","token","token_token"),("dr_grpo","token","token_constant"),("grpo","sequence","gspo")]:
    m=mock(GRPOTrainer,beta=0.04,loss_type=lt,importance_sampling_level=level,args=NS(delta=None))
    m.model=model
    inputs=dict(prompt_ids=torch.zeros(B,1),prompt_mask=torch.ones(B,1),completion_ids=torch.zeros(B,L),completion_mask=mask,
       advantages=adv["group"],old_per_token_logps=old,ref_per_token_logps=ref)
    m.model=NS(training=True)
    if new.grad is not None: new.grad=None
    loss=GRPOTrainer._compute_loss(m,model,inputs)
    loss.backward()
    out["loss."+key]=round(float(loss),8); out["grad."+key]=flat(new.grad)
    mm={k:v[0] for k,v in m._metrics["train"].items()}
    out["metrics."+key]={k:round(v,8) for k,v in mm.items()}
m=mock(RLOOTrainer); m.model=NS(training=True)
new.grad=None
inputs=dict(prompt_ids=torch.zeros(B,1),prompt_mask=torch.ones(B,1),completion_ids=torch.zeros(B,L),completion_mask=mask,
   advantages=adv["loo"],old_logps=(old*mask).sum(1))
loss=RLOOTrainer._compute_loss(m,model,inputs); loss.backward()
out["loss.rloo"]=round(float(loss),8); out["grad.rloo"]=flat(new.grad)
out["metrics.rloo"]={k:round(v[0],8) for k,v in m._metrics["train"].items()}
print(json.dumps(out))
