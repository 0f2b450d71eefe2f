"""Models of Keras that compute something else than their layers tell, and what a conversion loses."""

import pytest
from keras_peer import keras_or_skip

from minibn.errors import ConversionError
from minibn.interop import from_keras

keras = keras_or_skip()
LAYERS = keras.layers


class Rewired(keras.Sequential):
    def call(self, *arguments, **options):
        return -super().call(*arguments, **options)


def quantized():
    model = keras.Sequential([keras.Input((6,)), LAYERS.Dense(2, name="odd")])
    model.layers[0].quantize("int8")
    return model


def always_training():
    x = keras.Input((6,))
    return keras.Model(x, LAYERS.BatchNormalization(name="odd")(LAYERS.Dense(3)(x), training=True))


BAD = [
    (lambda: Rewired([keras.Input((6,)), LAYERS.Dense(2)]), "Rewired.*anything"),
    (quantized, r"odd \(Dense\): its values are quantized to int8"),
    (always_training, "odd .*training=True"),
]


@pytest.mark.parametrize(("model", "message"), BAD)
def test_a_model_that_computes_something_else_is_refused(model, message):
    with pytest.raises(ConversionError, match=message) as caught:
        from_keras(model(), report=None)
    assert "\n" not in str(caught.value)


def test_what_is_lost_is_said():
    lines = []
    from_keras(
        keras.Sequential([
            keras.Input((6,)), LAYERS.Dense(4, kernel_regularizer="l2"), LAYERS.Dense(4, trainable=False),
            LAYERS.BatchNormalization(trainable=False), LAYERS.Dense(2),
        ]),
        report=lines.append,
    )  # fmt: skip
    assert "regularizers and constraints are not kept" in lines[0]
    assert "trainable=False is not kept" in lines[1]
    assert lines[2].endswith("so frozen") and lines[3].endswith("as it is")
