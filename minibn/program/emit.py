"""Collects the spans and lines of a program while the tape is read."""

from dataclasses import dataclass

import numpy as np

from minibn.nn.sequential import EVALUATION_BLOCK
from minibn.program.instructions import Code, Instruction
from minibn.program.layout import Layout, Span


@dataclass(frozen=True, eq=False)
class Lines:
    """The finished lines and layouts of a program.

    Attributes
    ----------
    forward, loss, backward, update : list of Instruction
        What a training step plays, in this order.
    evaluation, evaluation_loss : list of Instruction
        What an evaluation plays.
    output, evaluated : Span
        The network's output in training and in evaluation.
    arena, stats, counts : Layout
    parameters : dict of str to Span
        Those that are trained.
    slots : dict of (str, str) to Span
        Optimizer state by slot and parameter name.
    buffers : list of (layer, dict of str to Span)
        Batch-norm state.
    scalars : tuple of Span
        Learning rate, weight decay and the rest, for decayed and for other parameters.
    class_weight : Span or None
    weighted : bool
        Whether weights of rows are taken; those of a batch lie where the statistics begin.
    fixed : list of (Tensor, Span)
        Tensors that the program reads and does not train.
    """

    forward: list
    loss: list
    backward: list
    update: list
    evaluation: list
    evaluation_loss: list
    output: Span
    evaluated: Span
    arena: Layout
    stats: Layout
    counts: Layout
    parameters: dict
    slots: dict
    buffers: list
    scalars: tuple
    class_weight: Span | None
    weighted: bool
    fixed: list

    @property
    def training(self):
        """All lines of a training step, list of Instruction."""
        return [*self.forward, *self.loss, *self.backward, *self.update]


def instruction(code, **operands):
    """Return a line; spans stand for their offsets, None for no operand."""
    return Instruction(code, {k: getattr(v, "offset", v) for k, v in operands.items() if v is not None})


class Emitter:
    """What the emitters of the operations write to."""

    def __init__(self, model, loss, optimizer, max_batch, weighted=False):
        self.model, self.loss_object, self.optimizer = model, loss, optimizer
        self.rows, self.block = max_batch, EVALUATION_BLOCK
        self.arena, self.stats, self.counts = Layout(model.dtype), Layout(np.float64), Layout(np.int64)
        self.counts.add("updates", (1,))
        self.weighted = weighted
        if weighted:
            self.stats.add("weights of the rows", (max(self.rows, self.block),))
        tensors = model.parameters()
        self._trained = {name: tensor for name, tensor in tensors.items() if tensor.requires_grad}
        self._names = {id(tensor): name for name, tensor in tensors.items()}
        self._layers = {id(layer.gamma): layer for layer in model.layers if hasattr(layer, "gamma")}
        self._forward, self._backward, self._evaluation, self.buffers = [], [], [], []
        self._loss, self._evaluation_loss, self.class_weight, self.fixed = [], [], None, []
        self._values = {}
        self._parameter_spans()
        self.scalars = tuple(self.stats.add(f"{kind} scalars", (5,)) for kind in ("decayed", "other"))

    def _parameter_spans(self):
        """Give parameters, gradients and optimizer state one contiguous span each, decayed parameters first."""
        decayed = set(self._trained) if self.optimizer.decay_all else set(self.model.decayed)
        self._groups = tuple([n for n in self._trained if (n in decayed) == which] for which in (True, False))
        order = [*self._groups[0], *self._groups[1]]

        def spans(prefix):
            return {
                name: self.arena.add(prefix + name, self._trained[name].shape, aligned=position == 0)
                for position, name in enumerate(order)
            }

        self.parameters, self._gradients = spans(""), spans("d ")
        self.slots = {(slot, n): s for slot in self.optimizer.slots for n, s in spans(f"{slot} ").items()}

    def parameter(self, tensor, what):
        """Return the spans of a parameter and its gradient; of a fixed tensor, and room for its gradient."""
        if tensor is None:
            return None, None
        name = self._names.get(id(tensor), what)
        if name in self.parameters:
            return self.parameters[name], self._gradients[name]
        span = self.arena.add(name, tensor.shape)
        self.fixed.append((tensor, span))
        return span, self.arena.add(f"d {name}", tensor.shape)

    def layer_of(self, gamma):
        """Return the batch-norm layer that a gamma belongs to, None for none."""
        return self._layers.get(id(gamma))

    def value(self, tensor, name):
        """Make room for an activation, for its gradient where one is needed, and for it in evaluation.

        Returns
        -------
        activation : Span
        gradient : Span or None
        evaluation : Span
        """
        columns = tensor.shape[1]
        train = self.arena.add(name, (self.rows, columns))
        gradient = self.arena.add(f"d {name}", (self.rows, columns)) if tensor.requires_grad else None
        evaluation = self.arena.add(f"{name} (evaluation)", (self.block, columns))
        self._values[id(tensor)] = train, gradient, evaluation
        return self._values[id(tensor)]

    def input(self, tensor):
        """Return the same of an operation's input."""
        return self._values[id(tensor)] if id(tensor) in self._values else self.value(tensor, "input")

    def layer(self, forward, backward, evaluation):
        """Append the lines of one operation; ``backward`` and ``evaluation`` are None where there is none."""
        self._forward.append(forward)
        self._backward.append(backward)
        self._evaluation += [] if evaluation is None else [evaluation]

    def loss(self, forward, backward, evaluation):
        """Append the lines of the loss."""
        self._loss, self._evaluation_loss = [forward, backward], [evaluation]

    def finished(self, output):
        """Return the lines, with adjacent batch norm and ReLU fused and the backward range in playing order."""
        forward, backward = _fused(self._forward, self._backward)
        train, _, evaluated = self._values[id(output)]
        return Lines(
            forward, self._loss, backward[::-1], self._updates(), _fused_evaluation(self._evaluation),
            self._evaluation_loss, train,
            evaluated, self.arena, self.stats, self.counts, self.parameters, self.slots, self.buffers, self.scalars,
            self.class_weight, self.weighted, self.fixed,
        )  # fmt: skip

    def _updates(self):
        code = Code.ADAM_UPDATE if len(self.optimizer.slots) == 2 else Code.SGD_UPDATE
        lines = []
        for names, scalars in zip(self._groups, self.scalars, strict=True):
            if names:
                size = sum(self.parameters[n].size for n in names)
                state = [self.slots[slot, names[0]] for slot in self.optimizer.slots]
                operands = dict(zip(("weight", "bias"), state, strict=False))
                operands |= {"x": self.parameters[names[0]], "dx": self._gradients[names[0]]}
                lines.append(instruction(code, **operands, scalars=scalars, counter=0, outputs=size))
        return lines


def _fused(forward, backward):
    """Return both ranges with each batch norm and the ReLU right behind it as one operation."""
    fused, fused_back, skip = [], [], False
    for line, after, back, back_after in zip(
        forward, [*forward[1:], None], backward, [*backward[1:], None], strict=True
    ):
        if skip:
            skip = False
            continue
        skip = _normalizes_batch(line) and after is not None and after.code == Code.RELU_FORWARD
        if skip:
            line = _rectified(line, after)
            back = Instruction(
                Code.BATCH_NORM_RELU_BACKWARD, back.operands | {"dy": back_after.operands["dy"]}
            )
        fused.append(line)
        fused_back.append(back)
    return [part for line in fused for part in _with_statistics(line)], [
        b for b in fused_back if b is not None
    ]


def _normalizes_batch(line):
    """Say whether a line stands for a batch norm with statistics of its own, which it then tracks."""
    return line.code in (Code.NORMALIZE, Code.NORMALIZE_RELU) and "counter" in line.operands


def _fused_evaluation(lines):
    """Return the evaluation range with each batch norm and the ReLU right behind it as one operation."""
    fused = []
    for line in lines:
        if fused and fused[-1].code == Code.NORMALIZE and line.code == Code.RELU_FORWARD:
            fused[-1] = _rectified(fused[-1], line)
        else:
            fused.append(line)
    return fused


def _rectified(line, relu):
    return Instruction(Code.NORMALIZE_RELU, line.operands | {"y": relu.operands["y"]})


def _with_statistics(line):
    """Return a line; for a batch norm of a batch also those that compute and track its statistics."""
    if not _normalizes_batch(line):
        return [line]
    names = ("mean", "var", "running_mean", "running_var", "scalars", "counter", "outputs")
    track = {name: line.operands[name] for name in names} | {"inputs": 2}
    statistics = {name: line.operands[name] for name in ("x", "mean", "var", "outputs")}
    return [Instruction(Code.BATCH_STATISTICS, statistics), Instruction(Code.TRACK_STATISTICS, track), line]
