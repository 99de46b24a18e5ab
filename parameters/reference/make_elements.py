"""Write the lists of organic-2's elements: boron.smi, silicon.smi, phosphorus.smi, selenium.smi,
bromine.smi, iodine.smi, more F, S and Cl (heteroatoms-2.smi), and tiny.smi.

    python make_elements.py *.smi EXCLUDED_HASHES

An element's list is a hand-written core of every class of its organic chemistry (cores of dyes among
the larger ones), and then molecules with one of its functional groups, or two groups, on scaffolds
of up to eight heavy atoms, picked for diversity (MaxMin on Morgan fingerprints). tiny.smi has the
closed-shell molecules of one to three heavy atoms C N O F S Cl. What a given list holds already, in
any stereochemistry, is left out. Small ones first.
"""

from __future__ import annotations

import random
import sys
from itertools import product
from pathlib import Path

from make_heteroatoms import diverse
from make_molecules import SCAFFOLDS, UNSTABLE, canonical, parents_of, substitutions, words
from rdkit import Chem, RDLogger

from mlsemi.training.data.exclusion import is_listed, read_hashes

LARGEST = 8
POOL = 3000

CORE = {
    "boron": """
B BC BCC CBC CB(C)C BF FBF FB(F)F ClB(Cl)Cl FBCl BCl CB(F)F CB(Cl)Cl BO OBO OB(O)O CB(O)O CBO COB(OC)OC BOC COBOC CB(C)O CB(C)F
BN NBN NB(N)N CB(N)N CB(C)N CN(C)B(C)C CN(C)BN(C)C BN(C)C CNB CNBC FB(F)N(C)C ClB(Cl)N(C)C B=C CB=C B=N CB=NC N#B C#B BC=C CB(C)C=C BC#C C=CB(O)O
C#CB(O)O C=CB(F)F BC=O OB(O)C=O NB(O)O B1OCCO1 CB1OCCO1 OB1OCCO1 B1OC=CO1 B1OCCCO1 CB1OCCCO1 B1NCCN1 CB1NCCN1 B1NC=CN1 CN1C=CN(C)B1 B1OCCN1 CB1OB(C)OB(C)O1
B1OBOBO1 B1NBNBN1 CB1NB(C)NB(C)N1 CN1BN(C)BN(C)B1 C1=CC=CBN1 C1=CNBC=C1 B1C=CC=C1 CB1C=CC=C1 B1C=CC=CC=C1 B1C=CNC=C1 B1C=COC=C1 B1C=CC=CN1 CN1C=CC=CB1 N1C=CC=NB1
B1CC1 B1C=C1 CB1CC1 B1CCC1 B1CCCC1 CB1CCCC1 B1CCCCC1 B1OC1 OB1CCCO1 OB1OCC=C1 OB1OCc2ccccc12 OB1OCCC1 CB(C)OB(C)C OB(O)OB(O)O
[BH3-][NH3+] C[NH2+][BH3-] C[NH+](C)[BH3-] C[N+](C)(C)[BH3-] [NH3+][B-](F)(F)F C[NH2+][B-](F)(F)F C[OH+][B-](F)(F)F C[O+](C)[BH3-] C[O+](C)[B-](F)(F)F C[S+](C)[BH3-] [BH3-][PH3+] C[P+](C)(C)[BH3-] [BH3-][C+]=O [BH3-][n+]1ccccc1 F[B-](F)(F)[n+]1ccccc1 C#[N+][B-](F)(F)F CC#[N+][BH3-] [BH3-][N+]1(C)CCOCC1 C[NH+]([BH3-])C [NH3+][BH2-]O
[BH4-] F[B-](F)(F)F C[B-](F)(F)F C=C[B-](F)(F)F C#C[B-](F)(F)F FC(F)(F)[B-](F)(F)F N#C[BH3-] N#C[B-](F)(F)F O[B-](O)(O)O C[B-](O)(O)O C[BH3-] F[B-](F)(F)c1ccccc1 c1ccccc1[B-](O)(O)O CO[BH3-] CC(=O)O[BH-](OC(C)=O)OC(C)=O
OB(O)c1ccccc1 FB(F)c1ccccc1 Bc1ccccc1 CB(C)c1ccccc1 OB(O)c1ccncc1 OB(O)c1cccs1 OB(O)c1ccco1 OB(O)c1ccc[nH]1 OB(O)c1ccc(F)cc1 OB(O)c1ccc(N)cc1 OB(O)c1ccc(C#N)cc1 OB(O)c1ccc(C=O)cc1 Nc1ccc(B(O)O)cc1 CN(C)c1ccc(B(C)C)cc1 B1OC=CC=C1 B1Oc2ccccc2O1 CB1Oc2ccccc2O1 B1Nc2ccccc2N1 B1NC=Cc2ccccc12 OB1NC=Cc2ccccc12 B1OC(=O)CN1 CB1OC(=O)C(=O)O1 B1c2ccccc2C=Cc2ccccc12
F[B-]1(F)OC=CC=[O+]1 F[B-]1(F)OC(C)=CC(C)=[O+]1 F[B-]1(F)OC(C)=CC=[O+]1 F[B-]1(F)NC=CC=[O+]1 F[B-]1(F)NC=CC=[NH+]1 F[B-]1(F)N(C)C=CC=[N+]1C F[B-]1(F)NC(C)=CC(C)=[O+]1 F[B-]1(F)OC=CC=[NH+]1 F[B-]1(F)OC(C=C)=CC(C)=[O+]1 F[B-]1(F)OC(=CC=[O+]1)N F[B-]1(F)OC(=CC(=[O+]1)C)c1ccccc1 F[B-]1(F)Oc2ccccc2C=[O+]1 F[B-]1(F)Oc2ccccc2C=[N+]1C F[B-]1(F)Oc2cccc3ccc[n+]1c23 F[B-]1(F)OC(=O)c2cccc[n+]12 F[B-]1(F)OC(=O)C[NH2+]1 F[B-]1(F)NC=Nc2cccc[n+]12 F[B-]1(F)Nc2cccc[n+]2C=C1
F[B-]1(F)n2cccc2C=C2C=CC=[N+]21 F[B-]1(F)n2cccc2N=C2C=CC=[N+]21 F[B-]1(F)n2cccc2C(C)=C2C=CC=[N+]21 F[B-]1(F)n2c(C)ccc2C=C2C=CC(C)=[N+]21 F[B-]1(F)n2cccc2C(C#N)=C2C=CC=[N+]21 F[B-]1(F)n2cccc2C(N)=C2C=CC=[N+]21 F[B-]1(F)n2cccc2C(Cl)=C2C=CC=[N+]21 O[B-]1(O)n2cccc2C=C2C=CC=[N+]21 C[B-]1(C)n2cccc2C=C2C=CC=[N+]21 F[B-]1(F)n2cccc2-c2cccc[n+]21 F[B-]1(F)n2cccc2C=[N+]1C F[B-]1(F)n2cccc2C=[N+]1c1ccccc1 F[B-]1(F)n2ccnc2-c2cccc[n+]21 F[B-]1(F)N(c2ccccc2)C=CC=[O+]1 F[B-]1(F)Oc2ccccc2-c2cccc[n+]21 F[B-]1(F)Oc2ccccc2-c2scc[n+]21 F[B-]1(F)OC(C=Cc2ccccc2)=CC(C)=[O+]1
Cn1cc[n+](C)c1[BH3-] CB1N(C)c2ccccc2N1C B1N2C=CC=CC2=CC=C1 B1N2C=CC=C2C=C1 c1ccc2c(c1)Bc1ccccc1O2 c1ccc2c(c1)Bc1ccccc1N2
""",
    "silicon": """
[SiH4] C[SiH3] C[SiH2]C C[SiH](C)C C[Si](C)(C)C [SiH3][SiH3] C[SiH2][SiH3] C[SiH2][SiH2]C [SiH3][SiH2][SiH3] C[Si](C)(C)[SiH3] CC[SiH3] CC[SiH2]C CCC[SiH3] C[SiH]([SiH3])C
F[SiH3] F[SiH2]F F[SiH](F)F F[Si](F)(F)F Cl[SiH3] Cl[SiH2]Cl Cl[SiH](Cl)Cl Cl[Si](Cl)(Cl)Cl C[SiH2]F C[SiH2]Cl C[Si](C)(C)F C[Si](C)(C)Cl C[Si](F)(F)F C[Si](Cl)(Cl)Cl C[Si](C)(F)F C[Si](C)(Cl)Cl FC[SiH3] ClC[SiH3] FC(F)(F)[SiH3] F[SiH2]Cl
O[SiH3] O[SiH2]O O[SiH](O)O O[Si](O)(O)O C[SiH2]O C[Si](C)(C)O C[Si](C)(O)O C[Si](O)(O)O CO[SiH3] C[SiH2]OC CO[SiH2]OC C[Si](C)(C)OC CO[Si](OC)(OC)OC CO[SiH](OC)OC C[Si](OC)(OC)OC [SiH3]O[SiH3] C[SiH2]O[SiH3] C[SiH2]O[SiH2]C C[Si](C)(C)O[Si](C)(C)C O=C[SiH3] CC(=O)[SiH3] O=C(O[SiH3])C OC(=O)C[SiH3] O=CO[SiH3] OC[SiH3] CC(=O)O[Si](C)(C)C OO[SiH3] [SiH3]OC=C C=CO[Si](C)(C)C [SiH3]C(=O)O [SiH2]=O C[Si](C)=O O=[Si]=O
N[SiH3] N[SiH2]N N[Si](C)(C)C CN[SiH3] CN(C)[SiH3] C[SiH2]N C[SiH2]NC C[Si](C)(C)NC C[Si](C)(C)N(C)C [SiH3]N[SiH3] [SiH3]N([SiH3])[SiH3] C[Si](C)(C)N[Si](C)(C)C NC[SiH3] N#C[SiH3] [C-]#[N+][SiH3] N#CC[SiH3] N#C[Si](C)(C)C [N-]=[N+]=N[SiH3] [N-]=[N+]=N[Si](C)(C)C O=C=N[SiH3] S=C=N[SiH3] [SiH2]=N NC(=O)[SiH3] [SiH3]N=C C=N[Si](C)(C)C [SiH3]NC=O CC(=O)N[Si](C)(C)C [SiH3]N=[N+]=[N-] N=[Si](C)C
S[SiH3] C[SiH2]S CS[SiH3] [SiH3]S[SiH3] S[Si](C)(C)C C[Si](C)(C)SC P[SiH3] [SiH2]=S C[Si](C)=S [SiH3]C(=S)N
[SiH2]=C C[SiH]=C C[Si](C)=C [SiH2]=[SiH2] C[SiH]=[SiH]C [SiH3]C=C C=C[SiH2]C C=C[SiH2]C=C C=C[Si](C)(C)C C=CC[SiH3] C=CC[Si](C)(C)C [SiH3]C#C C#C[SiH2]C C#C[Si](C)(C)C CC#C[SiH3] C#C[SiH2]C#C C[Si](C)(C)C#C[Si](C)(C)C [SiH3]C=C=C [SiH3]C(=C)C [SiH3]C=CC=C C=CC=C[Si](C)(C)C [SiH3]C=CC=O [SiH3]C#CC=O C[Si](C)(C)C=CC=O C=C[Si](F)(F)F C=C[Si](Cl)(Cl)Cl C=C[Si](OC)(OC)OC [SiH3]C=CC#N
C1C[SiH2]1 C[Si]1(C)CC1 C1C[SiH2]C1 C[Si]1(C)CCC1 C1CC[SiH2]C1 C1CC[SiH2]CC1 C1=C[SiH2]1 C1=C[SiH2]C=C1 C[Si]1(C)C=CC=C1 C1=CC[SiH2]C1 O1C[SiH2]C1 [SiH2]1O[SiH2]O[SiH2]O1 [SiH2]1N[SiH2]N[SiH2]N1 [SiH2]1[SiH2][SiH2]1 [SiH2]1CO1 [SiH2]1CCCO1 O1CC[SiH2]CC1 C1CC[SiH2]OC1 [SiH2]1C=CC=CC=C1 c1cc[siH]cc1 c1ccc[siH]c1 C1=CC[SiH2]C=C1 C[Si]1(C)OCCO1 C1=C[SiH2]C2=CC=CC=C12 C[Si]1(C)O[Si](C)(C)O[Si](C)(C)O1 C1C[Si]12CC2
[SiH3]c1ccccc1 C[SiH2]c1ccccc1 C[Si](C)(C)c1ccccc1 C[Si](C)(F)c1ccccc1 C[Si](C)(O)c1ccccc1 F[Si](F)(F)c1ccccc1 C[Si](C)(C)c1ccncc1 C[Si](C)(C)c1cccs1 C[Si](C)(C)c1ccco1 [SiH3]c1cccs1 [SiH3]c1ccco1 [SiH3]c1ccncc1 [SiH3]c1ccccn1 Nc1ccc([SiH3])cc1 N#Cc1ccc([SiH3])cc1 C[Si](C)(C)C#Cc1ccccc1 C[Si](C)(C)Oc1ccccc1 [SiH3]Oc1ccccc1 c1ccc([SiH2]c2ccccc2)cc1 C[Si]1(C)c2ccccc2-c2ccccc21 C[Si](C)(C)CN C[Si](C)(C)CO C[Si](C)(C)CCl C[Si](C)(C)C=[N+]=[N-] C[Si](C)(C)CC#N O1CCN2CCO[SiH]1OCC2
C[Si]1(C)c2ccccc2Cc2ccccc21 C[Si]1(C)C(C=C)=CC=C1C=C C[Si]1(C)c2ccsc2-c2sccc21 C[Si](C)(C)C=Cc1ccccc1 C[Si](C)(C)[Si](C)(C)C c1ccc([Si](F)(F)c2ccccc2)cc1 C[Si]1(C)C2=CC(=O)C=CC2=Cc2ccccc21 F[Si-](F)(F)(F)C F[Si-](F)(F)(F)F [SiH3-] C[Si](C)(C)[O-] [SiH3][O-]
""",
    "phosphorus": """
P CP CPC CP(C)C CCP CP(C)CC PP CPP CPPC FP(F)F ClP(Cl)Cl FP PF ClP PCl FPF ClPCl CP(F)F CP(Cl)Cl CPF CPCl CP(C)F CP(C)Cl FP(Cl)Cl P#N P#C CC#P FC#P C#CP C=CP C=P C=PC CC=P P=O CP=O P=N P=P CP=PC C=CC=P N=P OP=O FP=O ClP=O C=CP(C)C C#CP(C)C PC=O PCC=O PC#N CP(C)C#N N#CP OCP PCP NCP PC(=O)O CC(=O)P CC#CP P#P P12P3P1P23
OP POC OPO OP(O)O COP COP(OC)OC CP(O)O CP(OC)OC CP(C)O CP(C)OC COPC FP(F)OC ClP(Cl)OC PO NP PN NPN CNP CN(C)P CN(C)P(C)C CN(C)P(F)F CN(C)P(Cl)Cl CN(C)P(N(C)C)N(C)C PS CSP SP(C)C CSP(C)C PNP POP PSP P[SiH3] BP CB(C)P
O=[PH3] CP(=O) C[PH2]=O C[PH](C)=O CP(C)(C)=O O=P(F)(F)F O=P(Cl)(Cl)Cl CP(F)(F)=O CP(Cl)(Cl)=O CP(C)(=O)F CP(C)(=O)Cl O=[PH](O)O O=[PH2]O CP(=O)(O)O CP(C)(=O)O CP(=O)(OC)OC O=[PH](OC)OC CP(C)(=O)OC CP(=O)(O)F CC(C)OP(C)(=O)F CCOP(C)(=O)F O=P(O)(O)O COP(=O)(O)O COP(=O)(OC)O COP(=O)(OC)OC O=P(O)(O)F O=P(O)(O)Cl O=P(Cl)(Cl)OC O=P(F)(F)OC NP(=O)(O)O NP(N)(N)=O CN(C)P(=O)(N(C)C)N(C)C CP(C)(N)=O CNP(C)(C)=O OCP(=O)(O)O NCP(=O)(O)O O=CP(C)(C)=O O=P(O)(O)C(=O)O C=CP(C)(C)=O C=CP(=O)(O)O C#CP(C)(C)=O C=CP(=O)(OC)OC N#CP(C)(C)=O CC(=O)CP(C)(C)=O O=P(O)(O)CC(=O)O C=COP(=O)(O)O CC(=O)OP(=O)(O)O O=COP(=O)(O)O NC(=O)OP(=O)(O)O O=P(O)(O)OP(=O)(O)O OCCOP(=O)(O)O NCCOP(=O)(O)O C=C(OP(=O)(O)O)C(=O)O O=CC(O)COP(=O)(O)O
CP(C)(C)=S S=P(Cl)(Cl)Cl S=P(F)(F)F S=[PH3] CP(=S)(O)O CP(C)(=S)S COP(=S)(OC)OC CSP(=O)(OC)OC COP(=S)(OC)SC CP(Cl)(Cl)=S CP(C)(O)=S CP(C)(S)=O SP(=S)(S)S S=P(N)(N)N C=CP(C)(C)=S CN(C)P(C)(C)=S CP(C)(C)=[Se]
C=[PH3] C=P(C)(C)C CC=P(C)(C)C CP(C)(C)=CC=O CP(C)(C)=CC#N CC(=O)C=P(C)(C)C CP(C)(C)=C=O CP(C)(C)=C=C CP(C)(C)=CC=C C=CC=P N=[PH3] N=P(C)(C)C CN=P(C)(C)C CC(=O)N=P(C)(C)C N#CN=P(C)(C)C CN=P(N)(N)N N=P(N)(N)N N=P(O)(O)O N=P(F)(F)F F[PH4] F[PH](F)(F)F FP(F)(F)(F)F ClP(Cl)(Cl)(Cl)Cl CP(F)(F)(F)F CP(C)(F)(F)F COP1OCCO1 C[P]1(C)(C)OCC1
C1CP1 CP1CC1 C1CPC1 C1CCPC1 C1CCPCC1 C1=CP1 P1C=CC=C1 CP1C=CC=C1 c1ccpcc1 c1ccnpc1 c1cpccn1 p1ccncc1 Cc1ccccp1 O1C=CP=C1 c1c[nH]cp1 c1cocp1 c1cscp1 c1cp[nH]c1 C1=CCPC1 P1=CC=CO1 O=P1CCCC1 O=[PH]1CCCC1 CP1(=O)CCCC1 CP1(=O)CC=CC1 O=P1(O)OCCO1 CP1(=O)OCCO1 CP1OCCO1 O=P1(O)OCCCO1 CN1CCN(C)P1C P1OCCO1 n1pnpnp1 N1=P(F)(F)N=P(F)(F)N=P1(F)F N1=P(Cl)(Cl)N=P(Cl)(Cl)N=P1(Cl)Cl CP1(=O)C=CC=C1 C1=CPC=CC1
Pc1ccccc1 CP(C)c1ccccc1 CP(C)(=O)c1ccccc1 O=P(O)(O)c1ccccc1 O=P(O)(O)Oc1ccccc1 COP(=O)(OC)c1ccccc1 CP(C)(=S)c1ccccc1 CP(C)(C)=Cc1ccccc1 C=P(C)(C)c1ccccc1 CP(C)c1ccncc1 CP(C)(=O)c1ccncc1 CP(C)c1cccs1 CP(C)(=O)c1ccco1 CP(C)c1ccc(C#N)cc1 CP(C)c1ccc(N)cc1 CP(C)(=O)c1ccc(N)cc1 CN(C)c1ccc(P(C)(C)=O)cc1 Cp1c2ccccc2c2ccccc12 CP1(=O)c2ccccc2-c2ccccc21 c1ccc2[pH]ccc2c1 C1=Cc2ccccc2P1 CP1(=O)C=Cc2ccccc21 c1ccc2pcccc2c1 c1ccc(P(c2ccccc2)c2ccccc2)cc1 O=P(c1ccccc1)(c1ccccc1)c1ccccc1 c1ccc(Pc2ccccc2)cc1 C1=CC(=O)C=CC1=P(C)(C)C O=C1C=CC=C1P CP(C)c1ccccc1O CP(C)c1ccccc1C=O Nc1ncnc2c1ncn2COP(=O)(O)O CP1(=O)C(C=C)=CC=C1C=C CP1(=O)c2ccsc2-c2sccc21 C=C1C=CC=C1P(C)C C1=CC(=P(C)(C)C)C=C1 CP(C)(C)=C1C=CC=C1
""",
    "selenium": """
[SeH2] C[SeH] C[Se]C CC[SeH] CC[Se]C [SeH][SeH] C[Se][Se]C C[Se]SC C=[Se] CC=[Se] CC(C)=[Se] C(=[Se])=[Se] O=C=[Se] S=C=[Se] NC=[Se] NC(N)=[Se] CC(N)=[Se] N=C=[Se] CN=C=[Se] C[Se]C#N C1C[Se]1 C1CC[Se]1 C1CC[Se]C1 C1CC[Se]CC1 C1=C[Se]1 c1cc[se]c1 Cc1ccc[se]1 c1c[se]cn1 c1cc[se]n1 c1c[se]nn1 c1nn[se]c1 c1n[se]nc1 C1=C[Se]C=C[Se]1 C1=C[Se]CC1
C=C[SeH] C=C[Se]C C#C[SeH] C#C[Se]C C=CC=[Se] C[Se](C)=O C[Se](C)(=O)=O O=[Se]=O C[Se](=O)O O=[Se](O)O C[Se](O)(=O)=O C[SeH]=O C[Se]O C[Se]N F[Se]F Cl[Se]Cl C[Se]Cl C[Se]F OC(=O)C[SeH] OCC[SeH] NCC[SeH] NC(C[SeH])C(=O)O CC(=O)[SeH] C[Se]C(C)=O O=C[Se]C C=C=[Se] [SeH]C#N
[SeH]c1ccccc1 C[Se]c1ccccc1 O=[Se](O)c1ccccc1 c1ccc2[se]ccc2c1 c1ccc2n[se]nc2c1 c1ccc2[se]cnc2c1 c1cc2[se]ccc2[se]1 c1cc2sccc2[se]1 O=Cc1ccc[se]1 Nc1ncc[se]1 N#Cc1ccc[se]1 c1ccc2[se]c3ccccc3c2c1 c1c[se]c(-c2ccc[se]2)c1 C1=C[Se]C(=C2[Se]C=C[Se]2)[Se]1 Nc1ccc([SeH])cc1 C=Cc1ccc[se]1 O=C1NC(=[Se])NC=C1 [se]1ccc2nccnc12 c1ccc2c(c1)[Se]c1ccccc1N2 O=C1C=C[Se]C=C1 CP(C)(C)=[Se] [SeH-] C[Se-] C[Se+](C)C N#C[Se-]
""",
    "bromine": """
Br BrBr BrF ClBr CBr BrCBr BrC(Br)Br BrC(Br)(Br)Br FCBr ClCBr FC(F)Br FC(F)(F)Br ClC(Cl)Br ClC(Cl)(Cl)Br FC(F)(Br)Br FC(Br)Br OBr COBr NBr CNBr BrN(Br)Br BrOBr BrN=O BrN=C BrSC CSBr BrSBr BrC#N BrN=C=O BrC=O BrC(Br)=O CC(=O)Br O=C(Br)Br BrC(F)=O BrC(Cl)=O O=S(Br)Br BrP(Br)Br BrB(Br)Br Br[SiH3] BrPC BrB(C)C C[SiH2]Br C[Si](C)(C)Br
CCBr CC(C)Br CCCBr CC(C)(C)Br BrCCBr CC(Br)Br CC(Br)CBr ClCCBr FCCBr FC(F)(F)CBr C=CBr C=C(Br)Br BrC=CBr BrC(Br)=C(Br)Br FC=CBr FC(F)=CBr FC(F)=C(F)Br CC=CBr CC(Br)=C C=CCBr C#CBr CC#CBr C#CCBr BrC#CBr C=CC=CBr C=CC(Br)=C C=C=CBr BrCC=CCBr BrC1CC1 BrC1CCC1 BrC1CCCC1 BrC1CCCCC1 BrC1=CC1 BrCC1CC1 BrCC1CO1 BrC1=CCCC1 BrC1=CC=CC1
OCCBr NCCBr COCBr CSCBr OCBr BrCC=O BrCC(C)=O BrCC#N BrCC(=O)O COC(=O)CBr BrCC(N)=O CCOC(=O)CBr CC(Br)C(=O)O BrC(Br)C(=O)O FC(Br)C(=O)O BrC=CC=O BrC(=C)C=O BrC=CC#N BrC=CC(=O)O BrC#CC=O BrC=CN(C)C NC=CBr OC=CBr COC=CBr BrC=C[N+](=O)[O-] BrC[N+](=O)[O-] BrC(Br)C=O CC(=O)C(=O)CBr BrCC(=O)CBr O=C1CCC(=O)N1Br CN(C)Br CC(=O)NBr BrN1C=CC=C1 O=C1C=CC(=O)C(Br)=C1 O=C1C=CCC1Br
Brc1ccccc1 Brc1ccccc1Br Brc1cccc(Br)c1 Brc1ccc(Br)cc1 Cc1ccc(Br)cc1 Cc1ccccc1Br Fc1ccc(Br)cc1 Clc1ccc(Br)cc1 Oc1ccc(Br)cc1 Oc1ccccc1Br Nc1ccc(Br)cc1 Nc1ccccc1Br CN(C)c1ccc(Br)cc1 COc1ccc(Br)cc1 N#Cc1ccc(Br)cc1 O=Cc1ccc(Br)cc1 O=Cc1ccccc1Br O=[N+]([O-])c1ccc(Br)cc1 OC(=O)c1ccc(Br)cc1 BrCc1ccccc1 C=Cc1ccc(Br)cc1 C#Cc1ccc(Br)cc1 BrC=Cc1ccccc1 O=C(Br)c1ccccc1
Brc1ccncc1 Brc1cccnc1 Brc1ccccn1 Brc1cnccn1 Brc1ncccn1 Brc1cncnc1 Brc1ccco1 Brc1ccoc1 Brc1cccs1 Brc1ccsc1 Brc1ccc[nH]1 Brc1cc[nH]c1 Brc1cn[nH]c1 Brc1c[nH]cn1 Brc1nccs1 Brc1cscn1 Brc1ncc[nH]1 Brc1ccc(Br)s1 Brc1cnoc1 Brc1ncco1 Cc1ccc(Br)s1 O=c1[nH]cc(Br)c(=O)[nH]1 Nc1nc(=O)[nH]cc1Br O=Cc1ccc(Br)o1 Nc1ccc(Br)cn1
Brc1ccc2ccccc2c1 Brc1cccc2ccccc12 Brc1c[nH]c2ccccc12 Brc1ccc2[nH]ccc2c1 Brc1cnc2ccccc2c1 O=c1oc2ccccc2cc1Br O=C1C=CC(=O)c2c(Br)cccc12 Brc1ccc(-c2ccccc2)cc1 Brc1ccc(N=Nc2ccccc2)cc1 Brc1cc2ccccc2o1 Brc1cc2ccccc2s1 Brc1c2ccccc2cc2ccccc12 Brc1ccc(-c2cccs2)s1 Brc1ccc2nsnc2c1 O=Br(=O)O OBr(=O)=O [Br-] O=C1C(Br)=C(Br)C(=O)N1 [O-]Br BrC1=C(Br)C(=O)C=CC1=O
""",
    "iodine": """
I II FI ClI BrI CI ICI IC(I)I IC(I)(I)I FCI ClCI BrCI FC(F)I FC(F)(F)I FC(I)I ClC(Cl)I FC(F)(I)I OI COI NI CNI INI IOI IN=O IN=C ISC CSI IC#N IN=C=O IC=O CC(=O)I O=C(I)I FC(=O)I ClC(=O)I O=S(I)I IP(I)I IB(I)I I[SiH3] IPC IB(C)C C[SiH2]I C[Si](C)(C)I BC(I)=C
CCI CC(C)I CCCI CC(C)(C)I ICCI CC(I)I CC(I)CI ClCCI FCCI BrCCI FC(F)(F)CI FC(F)(F)C(F)(F)I C=CI C=C(I)I IC=CI IC(I)=C(I)I FC=CI FC(F)=CI FC(F)=C(F)I ClC=CI CC=CI CC(I)=C C=CCI C#CI CC#CI C#CCI IC#CI IC#CC#C IC#CC#N C=CC=CI C=CC(I)=C C=C=CI IC1CC1 IC1CCC1 IC1CCCC1 IC1CCCCC1 IC1=CC1 ICC1CC1 ICC1CO1 IC1=CCCC1 IC1=CC=CC1
OCCI NCCI COCI CSCI OCI ICC=O ICC(C)=O ICC#N ICC(=O)O COC(=O)CI ICC(N)=O CC(I)C(=O)O IC(I)C(=O)O IC=CC=O IC(=C)C=O IC=CC#N IC=CC(=O)O IC#CC=O IC=CN(C)C NC=CI OC=CI COC=CI IC=C[N+](=O)[O-] IC[N+](=O)[O-] IC(I)C=O CCC(=O)CI O=C1CCC(=O)N1I CN(C)I CC(=O)NI IN1C=CC=C1 O=C1C=CC(=O)C(I)=C1 O=C1C=CCC1I IC#Cc1ccccc1
Ic1ccccc1 Ic1ccccc1I Ic1cccc(I)c1 Ic1ccc(I)cc1 Cc1ccc(I)cc1 Cc1ccccc1I Fc1ccc(I)cc1 Clc1ccc(I)cc1 Brc1ccc(I)cc1 Oc1ccc(I)cc1 Oc1ccccc1I Nc1ccc(I)cc1 Nc1ccccc1I CN(C)c1ccc(I)cc1 COc1ccc(I)cc1 N#Cc1ccc(I)cc1 O=Cc1ccc(I)cc1 O=Cc1ccccc1I O=[N+]([O-])c1ccc(I)cc1 OC(=O)c1ccc(I)cc1 ICc1ccccc1 C=Cc1ccc(I)cc1 C#Cc1ccc(I)cc1 IC=Cc1ccccc1 Fc1c(F)c(F)c(I)c(F)c1F
Ic1ccncc1 Ic1cccnc1 Ic1ccccn1 Ic1cnccn1 Ic1ncccn1 Ic1cncnc1 Ic1ccco1 Ic1ccoc1 Ic1cccs1 Ic1ccsc1 Ic1ccc[nH]1 Ic1cc[nH]c1 Ic1cn[nH]c1 Ic1c[nH]cn1 Ic1nccs1 Ic1cscn1 Ic1ncc[nH]1 Ic1ccc(I)s1 Ic1cnoc1 Cc1ccc(I)s1 O=c1[nH]cc(I)c(=O)[nH]1 Nc1nc(=O)[nH]cc1I O=Cc1ccc(I)o1 Nc1ccc(I)cn1
Ic1ccc2ccccc2c1 Ic1cccc2ccccc12 Ic1c[nH]c2ccccc12 Ic1ccc2[nH]ccc2c1 Ic1cnc2ccccc2c1 O=c1oc2ccccc2cc1I O=C1C=CC(=O)c2c(I)cccc12 Ic1ccc(-c2ccccc2)cc1 Ic1ccc(N=Nc2ccccc2)cc1 Ic1cc2ccccc2o1 Ic1cc2ccccc2s1 Ic1ccc(-c2cccs2)s1 Ic1ccc2nsnc2c1
FI(F)F ClI(Cl)Cl FI(F)(F)(F)F CI(F)F CI(Cl)Cl O=I(=O)O OI(=O)=O CI=O C[I](=O)=O O=Ic1ccccc1 O=I(=O)c1ccccc1 ClI(Cl)c1ccccc1 FI(F)c1ccccc1 O=C1OI(O)c2ccccc12 CC(=O)OI(OC(C)=O)c1ccccc1 [I-] I[I-]I Cl[I-]Cl Br[I-]Br C[I+]C c1ccc([I+]c2ccccc2)cc1 [O-]I O=I(=O)[O-] C=C[I+]C
""",
    "heteroatoms-2": """
CS(=O)(=O)C CCS(=O)(=O)C CS(=O)(=O)CS(C)(=O)=O C=CS(C)(=O)=O C=CS(=O)(=O)C=C C#CS(C)(=O)=O N#CCS(C)(=O)=O O=S1(=O)CCC1 O=S1(=O)CCCC1 O=S1(=O)CC=CC1 O=S1(=O)C=CCC1 O=S1(=O)C=CC=C1 CS(=O)(=O)c1ccccc1 CS(=O)(=O)c1ccncc1 CS(=O)(=O)c1cccs1 CS(=O)(=O)c1ccc(N)cc1 CS(=O)(=O)c1ccc(C#N)cc1 O=S(=O)(c1ccccc1)c1ccccc1 CC(=O)CS(C)(=O)=O O=CS(C)(=O)=O OS(=O)=O CS(=O)(=O)C(F)(F)F CS(=O)(=O)CCl CS(=O)(=O)CO C[Si](C)(C)S(C)(=O)=O FC(F)S(C)(=O)=O
CS(N)(=O)=O CNS(C)(=O)=O CN(C)S(C)(=O)=O NS(N)(=O)=O CNS(N)(=O)=O NS(=O)(=O)O NS(=O)(=O)c1ccccc1 CNS(=O)(=O)c1ccccc1 Nc1ccc(S(N)(=O)=O)cc1 Cc1ccc(S(N)(=O)=O)cc1 NS(=O)(=O)c1cccs1 CC(=O)NS(C)(=O)=O CS(=O)(=O)NS(C)(=O)=O CS(=O)(=O)NC#N O=S1(=O)CCCN1 O=S1(=O)CCN1 O=S1(=O)NC(=O)c2ccccc12 CS(=O)(=O)N=C CS(=O)(=O)N=[N+]=[N-] NS(=O)(=O)C(F)(F)F CS(=O)(=O)Nc1ccccc1 NS(=O)(=O)CCl NS(=O)(=O)F CN=S(C)(C)=O CS(C)(=N)=O CS(C)=N CS(=N)(=N)C NNS(C)(=O)=O CS(=O)(=O)N1CCOCC1
CS(C)=O CCS(C)=O C=CS(C)=O CS(=O)c1ccccc1 O=S1CCC1 O=S1CCCC1 O=S1CCCCC1 C=S=O CC=S=O C1CS1=O CS(=O)CS(C)=O CS(=O)O CS(N)=O CS(=O)Cl CS(=O)OC COS(=O)OC COS(=O)(=O)OC COS(C)(=O)=O CS(=O)(=O)OC=C CS(=O)(=O)Oc1ccccc1 O=S1OCCO1 O=S1(=O)OCCO1 O=S1(=O)CCCO1 O=S(=O)(O)c1ccccc1 OS(=O)(=O)O O=S(=O)=O O=S(=O)(O)F CN=S=O N=S=O O=S=Nc1ccccc1 O=S(=O)(F)F O=S(F)F FS(F)(F)F FS(F)(F)(F)(F)F FS(F)(F)(F)(F)Cl CS(F)(F)F FS(F)(F)(F)(F)c1ccccc1 C=S(=O)=O N#S N#SF N=S=N CS(=O)(=O)SC CS(=O)SC CSSSC S=S CSSSSC S1SSC1 C1CSSC1 C1SSSC1 S1SSSSSSS1 CSS SSS
c1ccsc1 c1ccc2sccc2c1 c1cc2sccc2s1 c1cc2ccsc2s1 c1cscc1-c1ccsc1 c1csc(-c2cccs2)c1 c1csc(-c2cccs2)n1 c1csc(-c2nccs2)n1 C(=Cc1cccs1)c1cccs1 N#CC(C#N)=Cc1cccs1 O=[N+]([O-])c1cccs1 CC(=O)c1cccs1 OC(=O)c1cccs1 N#Cc1cccs1 C=Cc1cccs1 C#Cc1cccs1 Clc1ccc(Cl)s1 Fc1ccc(F)s1 COc1cccs1 CSc1cccs1 Sc1cccs1 CN(C)c1cccs1 c1ccc(-c2cccs2)cc1 C1COc2cscc2O1 c1ccc2nsnc2c1 c1ccc2scnc2c1 c1ccc2snnc2c1 c1ccc2sc3ccccc3c2c1 c1ccc2c(c1)Sc1ccccc1N2 c1ccc2c(c1)Sc1ccccc1S2 c1ccc2c(c1)Sc1ccccc1O2 S=c1ssc2ccccc12 C1=CSC(=C2SC=CS2)S1 C1=CSC=CS1 S=C1SC=CS1 O=C1SC=CS1 S=C1NC(=O)CS1 O=C1CSC(=S)N1 c1cc2ncsc2s1 O=c1sccs1 O=C1C=CSC=C1 S=C1C=CC=CN1 CN1C=CC=CC1=S Sc1ncccn1 Sc1nc2ccccc2s1 Nc1nc2ccccc2s1 S=C(Nc1ccccc1)N S=C=Nc1ccccc1 N#CSc1ccccc1 S=C(c1ccccc1)c1ccccc1 CC(=S)c1ccccc1 S=Cc1ccccc1 c1nc2scnc2s1 CSC=CC=O CSC=CC#N CSC(SC)=CC=O CSC(SC)=C(C#N)C#N CN(C)C=CC(C)=S S=CC=CC=S c1csc2nccnc12 O=c1cc[nH]c(=S)[nH]1 c1ccc2nc(-c3cccs3)sc2c1
FC(F)(F)c1ccccc1 FC(F)(F)c1ccncc1 FC(F)(F)C(F)(F)F FC(F)(F)C(F)=C(F)F FC(F)=C(F)C(F)=C(F)F FC1(F)C(F)(F)C1(F)F FC1=C(F)C(F)=C(F)C(F)=C1F Fc1c(F)c(F)c(F)c(F)c1F Fc1c(F)cc(F)c(F)c1F Fc1cc(F)cc(F)c1 Fc1c(F)c(F)nc(F)c1F OC(=O)C(F)(F)C(F)(F)F CC(=O)C(F)(F)F O=C(C(F)(F)F)C(F)(F)F OC(C(F)(F)F)C(F)(F)F COC(F)(F)F FC(F)(F)OC(F)(F)F FC(F)(F)SC(F)(F)F CSC(F)(F)F FC(F)(F)SSC(F)(F)F FC(F)(F)N(C(F)(F)F)C(F)(F)F CN(C)C(F)(F)F FC(F)(F)C#CC(F)(F)F FC(F)(F)C=CC(F)(F)F FC(F)(F)C1(C(F)(F)F)N=N1 NC(=O)C(F)(F)F COC(=O)C(F)(F)F O=CC(F)(F)C(F)(F)F O=C(F)C(F)(F)F N#CC(F)(F)F FC(F)(F)Oc1ccccc1 FC(F)(F)Sc1ccccc1 N#Cc1c(F)c(F)c(F)c(F)c1F Oc1c(F)c(F)c(F)c(F)c1F Nc1c(F)c(F)c(F)c(F)c1F OC(=O)c1c(F)c(F)c(F)c(F)c1F N#CC(C#N)=C1C(F)=C(F)C(=C(C#N)C#N)C(F)=C1F O=C1C(F)=C(F)C(=O)C(F)=C1F O=C1C(Cl)=C(Cl)C(=O)C(Cl)=C1Cl N#CC1=C(C#N)C(=O)C(Cl)=C(Cl)C1=O Clc1c(Cl)c(Cl)c(Cl)c(Cl)c1Cl Clc1cc(Cl)c(Cl)cc1Cl ClC(Cl)(Cl)c1ccccc1 ClC(Cl)(Cl)C(Cl)(Cl)Cl ClC(Cl)(Cl)C=O OC(=O)C(Cl)(Cl)Cl OC(=O)C(Cl)Cl Clc1ccc2ccccc2c1 Clc1cccc2ccccc12 Clc1nc(Cl)nc(Cl)n1 Fc1nc(F)nc(F)n1 Clc1c2ccccc2cc2ccccc12 Fc1ccc(N=Nc2ccc(F)cc2)cc1 O=C1C(Cl)=CC(=O)c2ccccc12 CN(C)c1ccc(C=C(C#N)C#N)cc1F O=c1cc(C(F)(F)F)c2ccc(N)cc2o1 O=c1oc2cc(F)ccc2cc1 Fc1ccc2[nH]ccc2c1
O=Cl(=O)O OCl(=O)(=O)=O OCl=O O=ClO ON=C(Cl)Cl FN=NF FNF FN=C CN(F)F FC(=O)OF FOC FOOF ClN=C=O ClN=[N+]=[N-] FN=[N+]=[N-] O=NCl O=[N+]([O-])Cl O=[N+]([O-])F FC(F)=C=O ClC(Cl)=C=O FC(F)=C=C(F)F FC(F)[N+](=O)[O-] ClC(=O)OC O=C(Cl)C(=O)Cl O=C(F)C(=O)F ClC(=O)C=C O=C(Cl)c1ccccc1 O=C(F)c1ccccc1 ClC=NO ClC(Cl)=NC
""",
}

GROUPS = {
    "boron": "B B(C)C B(O)O B(F)F B(Cl)Cl B(OC)OC B(C)O B(N)N B(N(C)C)C B1OCCO1 B1OC=CO1 B1NCCN1 BC BN N(C)B OB(C)C OB(O)O NB(C)C CB(O)O CB(C)C C=CB(O)O B1CCCC1 B(C)F",
    "silicon": "[SiH4] [SiH3]C [SiH2](C)C [SiH](C)(C)C [SiH3]O [SiH2](C)O [SiH](C)(C)O [SiH3]F [SiH](F)(F)F [SiH3]Cl [SiH](Cl)(Cl)Cl [SiH2](C)F [SiH](OC)(OC)OC [SiH3]OC [SiH3]N [SiH3]C=C [SiH3]C#C O[SiH3] O[Si](C)(C)C O[SiH](C)C N[SiH3] N[Si](C)(C)C N([SiH3])[SiH3] S[SiH3] C[SiH3] C[Si](C)(C)C [SiH3][SiH3] [SiH2]1CC1 [SiH2]1CCC1 [SiH2](C)N C=C[SiH3] C#C[SiH3]",
    "phosphorus": "P PC P(C)C P(=O)(O)O [PH](=O)(C)C [PH](=O)(OC)OC [PH](=O)(O)O [PH](=O)(C)O [PH](=S)(C)C P(O)O P(OC)OC P(F)F P(Cl)Cl P(N)N P(C)N [PH](F)(F)=O [PH](=O)(N)N OP(=O)(O)O OP(C)(C)=O OP(OC)OC NP(C)C NP(C)(C)=O N=P(C)(C)C C=P(C)(C)C SP(C)C OPC CP(C)C CP(C)(C)=O CP(=O)(O)O C=P C#P P1CC1 P1CCCC1 [PH]1(=O)CCCC1",
    "selenium": "[SeH2] [SeH]C C[SeH] C[Se]C [SeH]C#N [SeH](C)=O C(N)=[Se] C=[Se] N=C=[Se] [SeH][Se]C [SeH]C=C c1ccc[se]1 c1cc[se]c1 [SeH](=O)O",
    "bromine": "Br CBr CCBr C(Br)Br C(=O)Br C=CBr C(Br)=C C#CBr C(F)Br C(F)(F)Br OCBr C(=O)CBr NBr SBr c1ccc(Br)o1 c1ccc(Br)s1",
    "iodine": "I CI CCI C(I)I C(=O)I C=CI C(I)=C C#CI C(F)(F)I C(=O)CI NI c1ccc(I)o1 c1ccc(I)s1 I(F)F I=O",
    "heteroatoms-2": "F Cl S SC SC=C SCC S(C)=O [SH](C)(=O)=O [SH](N)(=O)=O [SH](N(C)C)(=O)=O [SH](=O)(=O)O [SH](=O)(=O)F [SH](=O)(=O)OC [SH](=O)C [SH](=O)N [SH](C)(=N)=O C(F)(F)F C(F)F CF CCl C(Cl)Cl C(F)(F)C(F)(F)F SC(F)(F)F OC(F)(F)F OC(F)F SCF C(=O)F C(=O)Cl C(F)=C C=CF C(Cl)=C C=CCl C#CCl C(F)=C(F)F C(N)=S C(=S)C C=S C(=S)S C(=O)S SC(C)=O N=C=S SC#N NC(N)=S NC(C)=S N[S](C)(=O)=O NS(C)(=O)=O OS(C)(=O)=O N=S(C)C CS(C)=O CS(C)(=O)=O CSC SSC SN SCl SF c1cccs1 c1ccsc1 c1nccs1 c1cscn1 c1ncns1 C1CCS1 C1CCCS1 C1SCCS1",
}
"""Functional groups of each list; the first atom is the one that binds."""

SIZE = {"selenium": 100, "heteroatoms-2": 350}
NUMBER = 250

HOLDS = {
    "boron": ("B",),
    "silicon": ("Si",),
    "phosphorus": ("P",),
    "selenium": ("Se",),
    "bromine": ("Br",),
    "iodine": ("I",),
    "heteroatoms-2": ("F", "S", "Cl"),
}
"""Elements of which every molecule of a list has one."""

CHARGED_APART = """
[H][H] [C-]#[O+] [C-]#[NH+] [C-]#[S+] C[N+]#[C-] F[N+]#[C-] Cl[N+]#[C-] N[N+]#[C-] O[N+]#[C-] S[N+]#[C-] N#[N+][O-] N#[N+][S-]
C=[N+]=[N-] [N-]=[N+]=N C#[N+][O-] C#[N+][S-] C#[N+][NH-] C=[NH+][O-] C=[NH+][CH2-] C=[NH+][NH-] [NH3+][O-] C[NH2+][O-] [NH3+][CH2-] C[NH2+][CH2-] [N-]=[NH2+] C[NH+]=[N-] N=[NH+][O-] N=[NH+][NH-] O=[NH+][CH2-] C=[O+][CH2-] C=[S+][CH2-]
"""
UNLIKE_ANY = [
    Chem.MolFromSmarts(pattern)
    for pattern in (
        "[O,S;D1]=[O,S;D1]",  # triplets
        "[*;r3]#[*;r3]",
        "[*;r3]=[*;r3]=[*;r3]",
        "[O,S,o,s]1[O,S,o,s][O,S,o,s]1",
        "[#16;v4,v6;!$(*=[O,N]);!$(*(#N)[F,Cl,O,N])]",
        "[#16;v4,v6;r3,H1,H2]",
        "[#16]#[!#7]",
        "[#16](=,#*)#*",
    )
]
"""What :func:`lewis` makes, and nobody has."""

VALENCES = {"C": (4,), "N": (3,), "O": (2,), "F": (1,), "S": (2, 4, 6), "Cl": (1,)}


def substituted(element: str, rng: random.Random) -> list[str]:
    """Scaffolds with one group of a list, and some of these with a second group of any kind."""
    groups = words(GROUPS[element])
    single: set[str] = set()
    for scaffold in words(SCAFFOLDS):
        single |= substitutions(scaffold, groups)
    single = {text for text in single if Chem.MolFromSmiles(text).GetNumHeavyAtoms() <= LARGEST}
    small = [s for s in sorted(single) if Chem.MolFromSmiles(s).GetNumHeavyAtoms() < LARGEST]
    double: set[str] = set()
    for smiles in rng.sample(small, min(400, len(small))):
        double |= substitutions(smiles, rng.sample([*groups, "O", "N", "C#N", "C=O", "F", "C"], 4))
    found = sorted(single | double)
    rng.shuffle(found)
    return found


def sensible(smiles: str) -> bool:
    """Small enough, and without chains of hetero atoms that fall apart."""
    molecule = Chem.MolFromSmiles(smiles)
    return molecule.GetNumHeavyAtoms() <= LARGEST and not any(
        molecule.HasSubstructMatch(pattern) for pattern in UNSTABLE
    )


def tiny() -> list[str]:
    """Every Lewis structure without charges of one to three heavy atoms, and those with."""
    out: list[str | None] = [canonical(text) for text in words(CHARGED_APART)]
    out += [lewis((a,), ()) for a in VALENCES]
    for a, b in product(VALENCES, repeat=2):
        out += [lewis((a, b), ((0, 1, order),)) for order in (1, 2, 3)]
    for atoms in product(VALENCES, repeat=3):
        for first, second, third in product((1, 2, 3), (1, 2, 3), (0, 1, 2)):
            bonds = ((0, 1, first), (1, 2, second), (0, 2, third))
            out.append(lewis(atoms, bonds[: 2 + bool(third)]))
    read = {text: Chem.MolFromSmiles(text) for text in out if text is not None}
    return sorted(
        text for text, m in read.items() if not any(map(m.HasSubstructMatch, UNLIKE_ANY))
    )  # fmt: skip


def lewis(atoms: tuple[str, ...], bonds: tuple[tuple[int, int, int], ...]) -> str | None:
    """Molecule of these heavy atoms and bond orders, with hydrogens, or None."""
    molecule = Chem.RWMol()
    used = [0] * len(atoms)
    for text in atoms:
        molecule.AddAtom(Chem.Atom(text))
    for i, j, order in bonds:
        molecule.AddBond(i, j, Chem.BondType.values[order])
        used[i] += order
        used[j] += order
    for atom, text, order in zip(molecule.GetAtoms(), atoms, used, strict=True):
        room = [valence - order for valence in VALENCES[text] if valence >= order]
        if not room:
            return None
        atom.SetNoImplicit(True)
        atom.SetNumExplicitHs(room[0])
    try:
        Chem.SanitizeMol(molecule)
    except Chem.MolSanitizeException:
        return None
    return canonical(Chem.MolToSmiles(molecule))


def holds(smiles: str, elements: tuple[str, ...]) -> bool:
    """Whether a SMILES can be read and has one of these elements."""
    molecule = Chem.MolFromSmiles(smiles)
    return (
        molecule is not None
        and canonical(smiles) is not None
        and any(atom.GetSymbol() in elements for atom in molecule.GetAtoms())
    )


def flat(smiles: str) -> str:
    """Canonical SMILES without stereochemistry."""
    molecule = Chem.MolFromSmiles(smiles)
    Chem.RemoveStereochemistry(molecule)
    return str(Chem.MolToSmiles(molecule))


def written(path: str, about: str, lines: list[str], program: str = "make_elements.py") -> None:
    """Write one list, smallest molecules first; a line may go on after its SMILES."""
    size = {line: Chem.MolFromSmiles(line.split()[0]).GetNumHeavyAtoms() for line in lines}
    head = f"# {about} ({program}), in the order they are computed"
    Path(path).write_text("\n".join([head, *sorted(lines, key=lambda s: size[s])]) + "\n")


def main() -> None:
    """Write all lists into this folder."""
    RDLogger.DisableLog("rdApp.*")
    *lists, hashes = sys.argv[1:]
    own = {f"{name}.smi" for name in (*CORE, "tiny")}
    lists, excluded = [path for path in lists if Path(path).name not in own], read_hashes(hashes)
    frames = {flat(text) for text in parents_of([path for path in lists if "frames" in path])}
    known = {flat(text) for text in parents_of(lists)}

    def fresh(texts: list[str], there: set[str]) -> list[str]:
        standard = [flat(text) for text in texts if canonical(text) is not None]
        return [
            text for text in dict.fromkeys(standard)
            if text not in there and not is_listed(text, excluded)
        ]  # fmt: skip

    for name, core in CORE.items():
        wrong = [text for text in words(core) if not holds(text, HOLDS[name])]
        if wrong:
            raise SystemExit(f"{name}: cannot read, or without the element: {' '.join(wrong)}")
        kept = fresh(words(core), known)
        rng = random.Random(0)
        found = [text for text in substituted(name, rng) if sensible(text)][:POOL]
        more = fresh(found, known | set(kept))
        kept += diverse(more, max(0, SIZE.get(name, NUMBER) - len(kept)))
        known |= set(kept)
        written(f"{name}.smi", f"molecules of {name}", kept)
    written("tiny.smi", "closed-shell molecules of up to three heavy atoms", fresh(tiny(), frames))


if __name__ == "__main__":
    main()
