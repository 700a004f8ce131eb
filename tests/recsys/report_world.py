"""What the parts of a run tell the report, small, in the shapes in which they tell it."""

CALIBRATED = {
    "temperature": 1.3,
    "ece_before": 0.12,
    "ece": 0.03,
    "bins": [
        {"confidence": 0.35, "accuracy": 0.3, "n": 40},
        {"confidence": 0.85, "accuracy": 0.9, "n": 60},
    ],
    "coverage": [
        {"answered": n / 10, "accuracy": 1 - n / 40, "confidence": 0.9} for n in range(1, 11)
    ],
}


def scored(accuracy):
    return {
        "accuracy": accuracy,
        "ci": [accuracy - 0.02, accuracy + 0.02],
        "guess_credited": accuracy + 0.01,
        "abstained": 0.04,
        "ece": 0.05,
        "seconds": 3.2,
    }


def preference():
    """Two laws: one with all there is, one with what the contract asks for and no more."""
    methods = {"random": scored(0.25), "popularity": scored(0.31), "tailor": scored(0.7)}
    whole = {
        "law": "same-category",
        "n": 2400,
        "category_level": "leaf",
        "methods": methods,
        "probes": {"chance": 0.25, "best": 0.31, "above_chance": ["popularity_most"]},
        "headline": "tailor",
        "paired": {"popularity": {"accuracy_diff": 0.39, "ci": [0.37, 0.41]}},
        "calibration": {"tailor": CALIBRATED},
        "positions": {
            "answers": [600] * 4,
            "tailor": {"picked": [0.24, 0.26, 0.25, 0.25], "accuracy": [0.7, 0.69, 0.71, 0.7]},
        },
        "ablations": {"without the adapted model": {"accuracy": 0.69, "ci": [0.67, 0.71]}},
    }
    bare = {key: whole[key] for key in ("n", "category_level", "methods")} | {"law": "uniform"}
    return {"laws": {"same-category": whole, "uniform": bare}}


def evidence(rung, against, mean, low, high):
    return {
        "rung": rung, "against": against, "n": 70, "difference": mean, "interval": [low, high]
    }  # fmt: skip


def decision():
    hurt = {
        "rung": "ranker",
        "why": "the adapted model does harm",
        "n": 70,
        "evidence": [evidence("adapted_lm", "ranker", -0.05, -0.08, -0.02)],
    }
    serves = hurt | {"rung": "adapted_lm", "why": "the adapted model is shown to help"}
    return {
        "default": serves,
        "slices": {"cold": {"least": 0, "most": 2, "choice": hurt}},
        "decided_on": "validation shoppers",
    }


def live(difference=0.02, low=0.01, high=0.03, **more):
    return {
        "release": "2014-05-01-old",
        "how": "as it was measured on the same data",
        "why": "",
        "n": 500,
        "live": 0.2,
        "ours": 0.2 + difference,
        "difference": difference,
        "interval": [low, high],
    } | more


def ablations(weight=0.5, proved=True):
    interval = {"mean": 0.08, "low": 0.05, "high": 0.1}
    names = ("base", "shuffled", "random", "zero")
    return {
        "proof": {
            "proved": proved,
            "why": "" if proved else "zero does not lose",
            "against": dict.fromkeys(names, interval),
            "losses": {"real": 1.9, **dict.fromkeys(names, 2.0)},
            "pairs": 512,
            "alone": dict.fromkeys(("text", "collaborative"), interval),
        },
        "weight": weight,
        "left_out": "" if weight else "it is not known to help on validation",
        "embeddings": {
            "k": 200,
            "recall": 0.5,
            "without": {
                "text": {"lost": 0.01, "ci": [0.0, 0.02]},
                "collaborative": {"lost": 0.1, "ci": [0.05, 0.15]},
            },
        },
        "weights_tried": [{"weight": 0.0, "ndcg": 0.25}, {"weight": 0.5, "ndcg": 0.27}],
    }


def drift(*breached, compared=True):
    told = [
        {
            "view": "item_stats", "feature": name, "measure": "psi", "value": 0.9, "bound": 0.5,
            "breached": True,
        }
        for name in breached
    ]  # fmt: skip
    calm = {
        "view": "user_history", "feature": "n", "measure": "ks", "value": 0.1, "bound": 0.4,
        "breached": False,
    }  # fmt: skip
    return {
        "checks": 60,
        "compared": compared,
        "breached": told,
        "largest": [*told, calm] if compared else [],
    }


def more(**changed):
    """Everything that further sections tell."""
    leans = {"standing": 0.8, "price": 12.5, "price_median": 9.99}
    names = ("popular", "retrieval", "ranker", "P2P-adapted LLM")
    return {
        "live": live(),
        "minimum_effect": 0.005,
        "decision": decision(),
        "preference": preference(),
        "bias": {"k": 10, "bought": leans, "methods": dict.fromkeys(names, leans)},
        "ablations": ablations(),
        "drift": drift(),
        "freshness": [
            {
                "view": "user_history", "rows": 2000, "latest": "2014-05-30T00:00:00+00:00",
                "age_days": 2.0, "max_age_days": 1.0, "stale": True,
            }
        ],
        "costs": {
            "lists": {"ranker": 2.5},
            "profiles": {"seconds": 1.0, "calls": 2000.0, "tokens": 0.0},
            "hour_price": 1.8,
            "priced": {"ranker": 0.00125},
        },
        "trend": [
            {
                "release": f"r{n}", "created_at": f"2014-0{n}-01T00:00:00+00:00",
                "headline": {"P2P-adapted LLM ndcg@10": 0.2 + n / 100, "shoppers": 500},
            }
            for n in (3, 4, 5)
        ],
        "settings": {"lists.length": 10},
    } | changed  # fmt: skip
