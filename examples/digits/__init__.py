"""Handwritten digits, from images on disk to predictions of an endpoint.

mnist_mxnet.py, mnist_chainer.py    run in the containers: train, and load the model to serve it
dataset.py                          the digits: scikit-learn's, or MNIST's own files
main_job.py                         the job, through plain boto3: S3, training, endpoint
service.py                          an emulator of one's own, started and stopped
narration.py                        progress in the terminal
report.py                           what was measured: terminal, web page, picture, JSON
demo.py                             all of it: `python -m examples.digits.demo`
"""
