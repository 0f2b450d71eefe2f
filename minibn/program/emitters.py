"""How each operation of the tape becomes lines of a program."""

from functools import partial

from minibn.errors import ProgramError
from minibn.program.emit import instruction
from minibn.program.instructions import Code


def _dense(emitter, node, output):
    x, weight, *bias = node.inputs
    train, gradient, evaluation = emitter.input(x)
    w, dw = emitter.parameter(weight, "weight")
    b, db = emitter.parameter(bias[0] if bias else None, "bias")
    y, dy, y_eval = emitter.value(output, f"{w.name.removesuffix('.weight')}.Dense")
    shape = {"weight": w, "bias": b, "inputs": weight.shape[0], "outputs": weight.shape[1]}
    backward = instruction(Code.DENSE_BACKWARD, x=train, dx=gradient, dy=dy, dweight=dw, dbias=db, **shape)
    emitter.layer(
        instruction(Code.DENSE_FORWARD, x=train, y=y, **shape),
        None if dy is None else backward,
        instruction(Code.DENSE_FORWARD, x=evaluation, y=y_eval, **shape),
    )


def _norm(emitter, node, output):
    """Return the layer of a batch norm, what its lines have in common, and the spans of its values and state."""
    x, gamma, beta = node.inputs
    layer = emitter.layer_of(gamma)
    if layer is None:
        raise ProgramError(
            f"op {node.op.name!r} outside of a BatchNorm layer has no instruction; train with engine='eager'"
        )
    columns = gamma.shape[0]
    before = emitter.input(x)
    (g, dg), (b, db) = emitter.parameter(gamma, "gamma"), emitter.parameter(beta, "beta")
    name = f"{g.name.removesuffix('.weight')}.BatchNorm"
    after = emitter.value(output, name)
    kinds = ("mean", "var", "running_mean", "running_var")
    state = {kind: emitter.stats.add(f"{name} {kind}", (columns,)) for kind in kinds}
    scalars = emitter.stats.add(f"{name} scalars", (3,))
    counter = emitter.counts.add(f"{name} tracked, skipped", (2,), aligned=False)
    emitter.buffers.append((layer, {**state, "scalars": scalars, "counter": counter}))
    shape = {"weight": g, "bias": b, "outputs": columns, "inputs": columns, "scalars": scalars}
    return name, shape, {"dweight": dg, "dbias": db}, before, after, state, counter


def _inference(x, y, state, shape):
    running = {"mean": state["running_mean"], "var": state["running_var"]}
    return instruction(Code.NORMALIZE, x=x, y=y, **running, **shape)


def _batch_norm(emitter, node, output):
    name, shape, gradients, before, after, state, counter = _norm(emitter, node, output)
    (x, dx, x_eval), (y, dy, y_eval) = before, after
    if dx is None:  # the kernel writes it in any case
        dx = emitter.arena.add(f"d input of {name}", x.shape)
    statistics = {"mean": state["mean"], "var": state["var"]}
    emitter.layer(
        instruction(Code.NORMALIZE, x=x, y=y, **state, counter=counter, **shape),
        instruction(Code.BATCH_NORM_BACKWARD, x=x, dx=dx, dy=dy, **gradients, **statistics, **shape),
        _inference(x_eval, y_eval, state, shape),
    )


def _batch_norm_weighted(emitter, node, output):
    name, shape, gradients, before, after, state, counter = _norm(emitter, node, output)
    (x, dx, x_eval), (y, dy, y_eval) = before, after
    if dx is None:  # the kernel writes it in any case
        dx = emitter.arena.add(f"d input of {name}", x.shape)
    columns, statistics = shape["outputs"], {"mean": state["mean"], "var": state["var"]}
    track = {"scalars": shape["scalars"], "counter": counter, "inputs": 2, "outputs": columns}
    emitter.layer(instruction(Code.WEIGHTED_STATISTICS, x=x, **statistics, outputs=columns), None, None)
    emitter.layer(instruction(Code.TRACK_WEIGHTED_STATISTICS, **state, **track), None, None)
    emitter.layer(
        instruction(Code.NORMALIZE, x=x, y=y, **statistics, **shape),
        instruction(Code.BATCH_NORM_WEIGHTED_BACKWARD, x=x, dx=dx, dy=dy, **gradients, **statistics, **shape),
        _inference(x_eval, y_eval, state, shape),
    )


def _frozen_batch_norm(emitter, node, output):
    """With fixed statistics the gradient is the same affine map, without mean and beta."""
    name, shape, _, before, after, state, _ = _norm(emitter, node, output)
    (x, dx, x_eval), (y, dy, y_eval) = before, after
    backward = None
    if dx is not None:
        columns = shape["outputs"]
        zero = {
            "running_mean": emitter.stats.add(f"{name} zero mean", (columns,)),
            "running_var": state["running_var"],
        }
        backward = _inference(
            dy, dx, zero, shape | {"bias": emitter.arena.add(f"{name} zero beta", (columns,))}
        )
    emitter.layer(_inference(x, y, state, shape), backward, _inference(x_eval, y_eval, state, shape))


def _activation(name):
    forward, backward = Code[f"{name}_FORWARD"], Code[f"{name}_BACKWARD"]

    def emit(emitter, node, output):
        (tensor,) = node.inputs
        x, dx, x_eval = emitter.input(tensor)
        y, dy, y_eval = emitter.value(output, f"{x.name.split('.')[0]}.{name.lower()}")
        shape = {"outputs": tensor.shape[1], "inputs": tensor.shape[1]}
        emitter.layer(
            instruction(forward, x=x, y=y, **shape),
            None if dx is None else instruction(backward, y=y, dy=dy, dx=dx, **shape),
            instruction(forward, x=x_eval, y=y_eval, **shape),
        )

    return emit


def _cross_entropy(emitter, node, output, name="SOFTMAX_CROSS_ENTROPY"):
    forward, backward = Code[f"{name}_FORWARD"], Code[f"{name}_BACKWARD"]
    (logits,) = node.inputs
    x, dx, x_eval = emitter.input(logits)
    columns = logits.shape[1]
    if emitter.loss_object.class_weight is not None:
        emitter.class_weight = emitter.stats.add("class weights", (columns,))
    shape = {"mean": emitter.class_weight, "outputs": columns, "inputs": columns}
    y = emitter.arena.add("probabilities", x.shape)
    y_eval = emitter.arena.add("probabilities (evaluation)", x_eval.shape)
    emitter.loss(
        instruction(forward, x=x, y=y, **shape),
        instruction(backward, x=x, y=y, dx=dx, **shape),
        instruction(forward, x=x_eval, y=y_eval, **shape),
    )


def _squared_error(emitter, node, output, name="SQUARED_ERROR"):
    forward, backward = Code[f"{name}_FORWARD"], Code[f"{name}_BACKWARD"]
    prediction = node.inputs[0]
    x, dx, x_eval = emitter.input(prediction)
    shape = {"outputs": prediction.shape[1], "inputs": prediction.shape[1]}
    emitter.loss(
        instruction(forward, x=x, **shape),
        instruction(backward, x=x, dx=dx, **shape),
        instruction(forward, x=x_eval, **shape),
    )


EMITTERS = {
    "dense": _dense,
    "batch_norm": _batch_norm,
    "batch_norm_weighted": _batch_norm_weighted,
    "batch_norm_inference": _frozen_batch_norm,
    "relu": _activation("RELU"),
    "sigmoid": _activation("SIGMOID"),
    "tanh": _activation("TANH"),
    "softmax_cross_entropy": _cross_entropy,
    "softmax_cross_entropy_weighted": partial(_cross_entropy, name="WEIGHTED_CROSS_ENTROPY"),
    "squared_error": _squared_error,
    "squared_error_weighted": partial(_squared_error, name="WEIGHTED_SQUARED_ERROR"),
}
