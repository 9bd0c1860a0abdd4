"""Prints what MXNet itself, without any server, says of the rows given as an argument."""

import json
import sys

import mxnet as mx

rows = mx.nd.array(json.loads(sys.argv[1]))
symbol, arguments, states = mx.model.load_checkpoint("/opt/ml/model/model", 0)
module = mx.mod.Module(symbol, data_names=["data"], label_names=None, context=mx.cpu())
module.bind(for_training=False, data_shapes=[("data", (1, 2))])
module.set_params(arguments, states, allow_missing=True)
predictions = []
for row in rows:
    module.forward(mx.io.DataBatch([row.reshape((1, 2))]), is_train=False)
    predictions += module.get_outputs()[0].asnumpy().ravel().tolist()
sys.stdout.write(f"{predictions!r}\n")
