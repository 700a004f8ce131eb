"""SASRec (Kang & McAuley 2018): self-attention over a history, trained to tell what comes next.

Softmax over the whole catalogue where it is small enough, over shared negatives where it is not;
layer norm first, tied item embeddings, and cosines over a temperature in place of inner products:
what sells well can't win by the length of its vector. Numpy in, numpy out. Histories are ragged
arrays, oldest first: row u is `items[indptr[u]:indptr[u + 1]]`.
"""

from personalizer.sasrec.model import SasRec, SasRecConfig
from personalizer.sasrec.training import train

__all__ = ["SasRec", "SasRecConfig", "train"]
