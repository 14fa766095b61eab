"""The README's tour: every line is run and shown with what it says."""

import textwrap

TOUR = """
import initwise, torch; torch.manual_seed(0)
initwise.fans((64, 16, 3, 3), "oihw", groups=4)          # axes are declared, groups are counted
initwise.gain("tanh"), initwise.gain(lambda x: x * x)    # computed for any function, not looked up
initwise.scheme("he_normal").fill(initwise.fans((256, 64), "oi")).formula
layers = [layer for _ in range(8) for layer in (torch.nn.Linear(64, 64), torch.nn.Sigmoid())]
model = torch.nn.Sequential(*layers, torch.nn.Linear(64, 10))
initwise.check(model, "f32[64,64]").findings[0].verdict  # PyTorch's own weights
advice = initwise.choose(model, "f32[64,64]")            # measured, not looked up
advice.name, advice.ties, advice.confidence
ledger = initwise.init_(model, advice, seed=0)           # each tensor: law, std declared, std found
initwise.check(model, "f32[64,64]").healthy
initwise.init_(model, "xavier_normal", seed=0).digest[:16]    # the same bits on every machine
"""


def main() -> None:
    names: dict[str, object] = {}
    for line in TOUR.strip().splitlines():
        print(f">>> {line}")
        code = line.split("  #")[0].strip()
        try:
            said = eval(code, names)
        except SyntaxError:
            exec(code, names)
            continue
        if said is not None:
            print(textwrap.shorten(str(said), 100, placeholder=" …"))


if __name__ == "__main__":
    main()
