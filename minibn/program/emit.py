"""How each operation of the tape becomes lines of a program."""

from dataclasses import dataclass

import numpy as np

from minibn.errors import ProgramError
from minibn.nn.sequential import EVALUATION_BLOCK
from minibn.program.instructions import Code, Instruction
from minibn.program.layout import Layout, Span


@dataclass(frozen=True, eq=False)
class Lines:
    """The finished lines and layouts of a program.

    Attributes
    ----------
    forward, loss, backward, update, evaluation : list of Instruction
    arena, stats, counts : Layout
    parameters : dict of str to Span
    slots : dict of (str, str) to Span
        Optimizer state by slot and parameter name.
    buffers : list of (layer, dict of str to Span)
        Batch-norm state.
    scalars : tuple of Span
        Learning rate, weight decay and the rest, for decayed and for other parameters.
    class_weight : Span or None
    fixed : list of (Tensor, Span)
        Tensors that the program reads and does not train.
    """

    forward: list
    loss: list
    backward: list
    update: list
    evaluation: list
    arena: Layout
    stats: Layout
    counts: Layout
    parameters: dict
    slots: dict
    buffers: list
    scalars: tuple
    class_weight: Span | None
    fixed: list


class Emitter:
    """Collects spans and lines while the tape is read."""

    def __init__(self, model, loss, optimizer, max_batch):
        self.model, self.loss_object, self.optimizer = model, loss, optimizer
        self.rows, self.block = max_batch, EVALUATION_BLOCK
        self.arena, self.stats, self.counts = Layout(model.dtype), Layout(np.float64), Layout(np.int64)
        self.counts.add("updates", (1,))
        self.names = {id(tensor): name for name, tensor in model.parameters().items()}
        self.layers = {id(layer.gamma): layer for layer in model.layers if hasattr(layer, "gamma")}
        self.forward, self.loss, self.evaluation, self.buffers = [], [], [], []
        self._backward, self.class_weight, self.fixed = [], None, []
        self._values, self._eval = {}, {}
        self._parameter_spans()
        self.scalars = tuple(self.stats.add(f"{kind} scalars", (5,)) for kind in ("decayed", "other"))

    def _parameter_spans(self):
        """Give parameters, gradients and optimizer state one contiguous span each, decayed parameters first."""
        tensors = self.model.parameters()
        decayed = set(tensors) if self.optimizer.decay_all else set(self.model.decayed) & set(tensors)
        order = [n for n in tensors if n in decayed] + [n for n in tensors if n not in decayed]
        self.groups = ([n for n in order if n in decayed], [n for n in order if n not in decayed])

        def spans(prefix):
            return {
                n: self.arena.add(prefix + n, tensors[n].shape, aligned=k == 0) for k, n in enumerate(order)
            }

        self.parameters, self.gradients = spans(""), spans("d ")
        self.slots = {(slot, n): s for slot in self.optimizer.slots for n, s in spans(f"{slot} ").items()}

    def constant(self, tensor, name):
        """Return the span of a tensor that is not trained, such as the gamma of a batch norm without affine."""
        span = self.arena.add(name, tensor.shape)
        self.fixed.append((tensor, span))
        return span

    def parameter(self, tensor, what):
        """Return the spans of a parameter and its gradient; of a fixed tensor, and room for its gradient."""
        if tensor is None:
            return None, None
        if id(tensor) in self.names:
            name = self.names[id(tensor)]
            return self.parameters[name], self.gradients[name]
        return self.constant(tensor, what), self.arena.add(f"d {what}", tensor.shape)

    def value(self, tensor, name):
        """Make room for an activation and its gradient, for training and for evaluation."""
        columns = tensor.shape[1]
        train = self.arena.add(name, (self.rows, columns))
        gradient = self.arena.add(f"d {name}", (self.rows, columns))
        self._values[id(tensor)] = (train, gradient)
        self._eval[id(tensor)] = self.arena.add(f"{name} (evaluation)", (self.block, columns))
        return train, gradient

    def input(self, tensor):
        """Return (activation, gradient, evaluation) of an operation's input; the network's own needs no gradient."""
        if id(tensor) not in self._values:
            self.value(tensor, "input")
            train, _ = self._values[id(tensor)]
            self._values[id(tensor)] = (train, None)
        train, gradient = self._values[id(tensor)]
        return train, gradient, self._eval[id(tensor)]

    def line(self, kind, code, **operands):
        """Append a line to one range; spans stand for their offsets, None for none."""
        lines = {
            "forward": self.forward,
            "loss": self.loss,
            "backward": self._backward,
            "evaluation": self.evaluation,
        }
        given = {k: getattr(v, "offset", v) for k, v in operands.items() if v is not None}
        lines[kind].append(Instruction(code, given))

    def evaluated(self, tensor):
        """Return the evaluation span of a tensor."""
        return self._eval[id(tensor)]

    def finished(self):
        """Return the lines, with adjacent batch norm and ReLU fused and the backward range in playing order."""
        forward, backward = _fused(self.forward, self._backward)
        return Lines(
            forward, self.loss, backward[::-1], self._updates(), self.evaluation, self.arena, self.stats, self.counts,
            self.parameters, self.slots, self.buffers, self.scalars, self.class_weight, self.fixed,
        )  # fmt: skip

    def _updates(self):
        code = Code.ADAM_UPDATE if len(self.optimizer.slots) == 2 else Code.SGD_UPDATE
        lines = []
        for names, scalars in zip(self.groups, self.scalars, strict=True):
            if names:
                size = sum(self.parameters[n].size for n in names)
                state = [self.slots[slot, names[0]].offset for slot in self.optimizer.slots]
                operands = dict(zip(("weight", "bias"), state, strict=False))
                operands |= {"x": self.parameters[names[0]].offset, "dx": self.gradients[names[0]].offset}
                lines.append(
                    Instruction(code, operands | {"scalars": scalars.offset, "counter": 0, "outputs": size})
                )
        return lines


def _fused(forward, backward):
    """Return both ranges with each batch norm and the ReLU right behind it as one operation."""
    fused, fused_back, skip = [], [], False
    for position, (line, back) in enumerate(zip(forward, backward, strict=True)):
        if skip:
            skip = False
            continue
        after = forward[position + 1] if position + 1 < len(forward) else None
        if line.code == Code.BATCH_NORM_FORWARD and after is not None and after.code == Code.RELU_FORWARD:
            relu_back = backward[position + 1]
            line = Instruction(Code.BATCH_NORM_RELU_FORWARD, line.operands | {"y": after.operands["y"]})
            back = Instruction(
                Code.BATCH_NORM_RELU_BACKWARD, back.operands | {"dy": relu_back.operands["dy"]}
            )
            skip = True
        fused.append(line)
        fused_back.append(back)
    return fused, [line for line in fused_back if line is not None]


def _dense(emitter, node, output):
    x, weight, *bias = node.inputs
    train, gradient, evaluation = emitter.input(x)
    w, dw = emitter.parameter(weight, "weight")
    b, db = emitter.parameter(bias[0] if bias else None, "bias")
    y, dy = emitter.value(output, f"{w.name.removesuffix('.weight')}.Dense")
    shape = {"weight": w, "bias": b, "inputs": weight.shape[0], "outputs": weight.shape[1]}
    emitter.line("forward", Code.DENSE_FORWARD, x=train, y=y, **shape)
    emitter.line("backward", Code.DENSE_BACKWARD, x=train, dx=gradient, dy=dy, dweight=dw, dbias=db, **shape)
    emitter.line("evaluation", Code.DENSE_FORWARD, x=evaluation, y=emitter.evaluated(output), **shape)


def _batch_norm(emitter, node, output):
    x, gamma, beta = node.inputs
    layer = emitter.layers.get(id(gamma))
    if layer is None:
        raise ProgramError(
            "op 'batch_norm' outside of a BatchNorm layer has no instruction; train with engine='eager'"
        )
    columns = gamma.shape[0]
    train, gradient, evaluation = emitter.input(x)
    if gradient is None:  # the kernel writes it in any case
        gradient = emitter.arena.add("d input", (emitter.rows, columns))
    g, dg = emitter.parameter(gamma, "gamma")
    b, db = emitter.parameter(beta, "beta")
    name = f"{g.name.removesuffix('.weight')}.BatchNorm"
    y, dy = emitter.value(output, name)
    state = {
        k: emitter.stats.add(f"{name} {k}", (columns,))
        for k in ("mean", "var", "running_mean", "running_var")
    }
    scalars = emitter.stats.add(f"{name} scalars", (3,))
    counter = emitter.counts.add(f"{name} tracked, skipped", (2,), aligned=False)
    emitter.buffers.append((layer, {**state, "scalars": scalars, "counter": counter}))
    shape = {"weight": g, "bias": b, "outputs": columns, "inputs": columns, "scalars": scalars}
    emitter.line("forward", Code.BATCH_NORM_FORWARD, x=train, y=y, **state, counter=counter, **shape)
    emitter.line("backward", Code.BATCH_NORM_BACKWARD, x=train, dx=gradient, dy=dy, dweight=dg, dbias=db,
                 mean=state["mean"], var=state["var"], **shape)  # fmt: skip
    emitter.line("evaluation", Code.BATCH_NORM_INFERENCE, x=evaluation, y=emitter.evaluated(output),
                 mean=state["running_mean"], var=state["running_var"], **shape)  # fmt: skip


def _activation(name):
    forward, backward = Code[f"{name}_FORWARD"], Code[f"{name}_BACKWARD"]

    def emit(emitter, node, output):
        (x,) = node.inputs
        train, gradient, evaluation = emitter.input(x)
        y, dy = emitter.value(output, train.name.split(".")[0] + f".{name.lower()}")
        shape = {"outputs": x.shape[1], "inputs": x.shape[1]}
        emitter.line("forward", forward, x=train, y=y, **shape)
        if gradient is None:
            gradient = emitter.arena.add("d input", (emitter.rows, x.shape[1]))
        emitter.line("backward", backward, y=y, dy=dy, dx=gradient, **shape)
        emitter.line("evaluation", forward, x=evaluation, y=emitter.evaluated(output), **shape)

    return emit


def _cross_entropy(emitter, node, output):
    (logits,) = node.inputs
    x, dx, _ = emitter.input(logits)
    columns = logits.shape[1]
    probabilities = emitter.arena.add("probabilities", (emitter.rows, columns))
    if emitter.loss_object.class_weight is not None:
        emitter.class_weight = emitter.stats.add("class weights", (columns,))
    shape = {"x": x, "y": probabilities, "mean": emitter.class_weight, "outputs": columns, "inputs": columns}
    emitter.line("loss", Code.SOFTMAX_CROSS_ENTROPY_FORWARD, **shape)
    emitter.line("loss", Code.SOFTMAX_CROSS_ENTROPY_BACKWARD, dx=dx, **shape)


def _squared_error(emitter, node, output):
    prediction = node.inputs[0]
    x, dx, _ = emitter.input(prediction)
    shape = {"x": x, "outputs": prediction.shape[1], "inputs": prediction.shape[1]}
    emitter.line("loss", Code.SQUARED_ERROR_FORWARD, **shape)
    emitter.line("loss", Code.SQUARED_ERROR_BACKWARD, dx=dx, **shape)


EMITTERS = {
    "dense": _dense,
    "batch_norm": _batch_norm,
    "relu": _activation("RELU"),
    "sigmoid": _activation("SIGMOID"),
    "tanh": _activation("TANH"),
    "softmax_cross_entropy": _cross_entropy,
    "squared_error": _squared_error,
}
