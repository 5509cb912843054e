"""SecY, the MACsec framer (IEEE 802.1AE-2018 clauses 9, 10 and 14). Its door is `secy.SecY`."""
